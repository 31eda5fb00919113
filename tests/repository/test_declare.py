"""Loading as a whole: what is kept between loads, what is bounded, and that no content breaks it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import DeclarationError, RepositoryError
from controller.repository.declare import PROBLEMS_MAX, BlobCache, load, validate
from controller.repository.tree import MODE_FILE, Blob, Tree, blob_id
from tests.builders_repository import FLEET, INVENTORY, FleetFiles, group_text

CATALOG = "apiVersion: wavefleet.io/v1\nkind: ReleaseCatalog\nspec: {releases: [{version: 4.3.1-acme1, like: 4.3.1}]}\n"


class FilesInMemory:
    """A tree that remembers what was read of it."""

    def __init__(self, files: dict[str, str | bytes]) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.was_read: list[str] = []

    def find(self, paths: Sequence[str]) -> Sequence[Blob]:
        """Return what lies at and below ``paths``."""
        return [
            Blob(path, blob_id(content), len(content), MODE_FILE)
            for path, content in sorted(self.files.items())
            if any(path == one or path.startswith(f"{one}/") for one in paths)
        ]

    def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield contents."""
        self.was_read += [blob.path for blob in blobs]
        return iter([self.files[blob.path] for blob in blobs])


class StumblingBlock(bytes):
    """Content that our own code stumbles over, as it once did over a list among words."""

    def removeprefix(self, *_: object) -> bytes:
        """Fail at the first thing that is done with it."""
        raise TypeError("unhashable type: 'list'")


def a_fleet(**groups: str) -> dict[str, str | bytes]:
    """A valid fleet with a catalog, an inventory and these groups."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": FLEET,
        "releases.yaml": CATALOG,
        "simulation/clusters.yaml": INVENTORY,
    }
    return files | {f"groups/{name}.yaml": text for name, text in groups.items()}


def test_only_what_changed_is_read_again() -> None:
    """
    A commit that changes one file of many costs the reading of that one.
    """
    cache = BlobCache()
    files = a_fleet(a=group_text("a"), b=group_text("b"), c=group_text("c"))
    first = load(FilesInMemory(files), cache)
    again = FilesInMemory(files)
    changed = FilesInMemory(files | {"groups/b.yaml": group_text("b", version="4.3.0")})

    assert first == load(again, cache)
    assert [] == again.was_read
    second = load(changed, cache)
    assert ["groups/b.yaml"] == changed.was_read
    assert second.groups[0] is first.groups[0]
    assert ["4.3.1", "4.3.0", "4.3.1"] == [str(group.target) for group in second.groups]


def test_what_is_kept_never_hides_a_change_around_it() -> None:
    """
    A group that did not change means something else once the fleet's defaults or the catalog did.
    """
    cache = BlobCache()
    files = a_fleet(a=group_text("a", version="4.3.1-acme1"))
    load(FilesInMemory(files), cache)
    other_defaults = FLEET + "  defaults: {health: {samples: 7}}\n"

    assert 7 == load(FilesInMemory(files | {"fleet.yaml": other_defaults}), cache).groups[0].samples
    with pytest.raises(DeclarationError, match=r"groups/a\.yaml:5: spec\.kafkaVersion: found '4\.3\.1-acme1'"):
        load(FilesInMemory(files | {"releases.yaml": "# nothing\n"}), cache)
    assert 3 == load(FilesInMemory(files), cache).groups[0].samples


def test_the_same_content_in_two_files_is_told_in_both() -> None:
    """
    Lines and files are part of what is kept: a copy is not taken for the original.
    """
    told = validate(FilesInMemory(a_fleet(a="x: 1\n", b="x: 1\n")))

    assert {"groups/a.yaml", "groups/b.yaml"} == {problem.file for problem in told}


def test_a_refused_revision_is_refused_again_from_what_is_kept() -> None:
    """
    Problems are kept like values, and the next good revision is not affected.
    """
    cache = BlobCache()
    bad = a_fleet(a=group_text("a", version="4.10"))
    for _ in range(3):
        tree = FilesInMemory(bad)
        with pytest.raises(DeclarationError, match=r"4\.10"):
            load(tree, cache)
    assert [] == tree.was_read
    assert "a" == load(FilesInMemory(a_fleet(a=group_text("a"))), cache).groups[0].name


def test_what_two_loads_did_not_use_is_dropped() -> None:
    """
    Memory follows what is declared now, not everything that ever was.
    """
    cache = BlobCache()
    files = a_fleet(a=group_text("a"))
    for text in (group_text("a"), group_text("a", version="4.3.0"), group_text("a", version="4.2.2")):
        load(FilesInMemory(files | {"groups/a.yaml": text}), cache)
    back = FilesInMemory(files)

    load(back, cache)

    assert ["groups/a.yaml"] == back.was_read


def test_a_tree_that_cannot_be_read_is_no_declaration_error() -> None:
    """
    The remote's trouble is told as such, and what was kept before serves the next try.
    """

    class Torn(FilesInMemory):
        def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
            raise RepositoryError(f"{blobs[0].path}: gone")

    cache = BlobCache()
    files = a_fleet(a=group_text("a"), b=group_text("b"))
    load(FilesInMemory(files), cache)
    torn = Torn(files | {"groups/b.yaml": group_text("b", version="4.3.0")})
    with pytest.raises(RepositoryError, match="gone"):
        load(torn, cache)

    again = FilesInMemory(files)
    load(again, cache)
    assert [] == again.was_read


def test_groups_come_in_the_order_of_their_names() -> None:
    """
    Neither files nor lines decide who is first.
    """
    files = a_fleet(a=group_text("zz") + "---\n" + group_text("mm"), b=group_text("aa"))

    assert ["aa", "mm", "zz"] == [group.name for group in load(FilesInMemory(files), BlobCache()).groups]


def test_very_many_problems_are_cut_and_counted() -> None:
    """
    A broken generator floods neither a status nor a terminal.
    """
    rows = "\n".join("    - {cluster: ä, reason: x}" for _ in range(90))
    files = {f"groups/g{n}.yaml": group_text(f"g{n}", f"  holds:\n{rows}\n") for n in range(20)}

    told = validate(FilesInMemory({**a_fleet(), **files}))

    assert PROBLEMS_MAX + 1 == len(told)
    assert "more problems after this one" in told[-1].found


def test_sizes_of_all_files_are_bounded_together() -> None:
    """
    Many files below the limit of one may still be too much.
    """
    files = {f"groups/g{n:02}.yaml": b"#" * (1024 * 1024) for n in range(33)}

    assert ["groups:1: (file): found 346"] == [str(it)[:27] for it in validate(FilesInMemory({**a_fleet(), **files}))]


LINES = st.sampled_from(
    [
        *(FLEET + INVENTORY + CATALOG + group_text("a", "  after: [a]\n")).splitlines(),
        *(
            "---",
            "",
            "  strategy:",
            "    waves:",
            "      - {name: a, size: rest}",
            "  holds: [{cluster: a}]",
            "  metadataVersion: 4.9-IV0",
            "  finalize: {soak: 0}",
            "  expedite: [{version: 4.3.9, groups: ['x*', 1], until: 2026-02-30, soak: 10m}]",
            "  gates: [{prometheus: {name: a, below: 1, above: 2}}, {webhook: {name: a, url: 'http://[x'}}]",
            "  limits: {perDomain: [{label: a, clusters: 1}, {label: a}], neverTogether: [{}], unavailable: 5}",
            "&a",
            "- [x",
        ),
    ]
)
CONTENT = st.binary(max_size=60) | st.lists(LINES, max_size=12).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*a_fleet(a="", b="")]), CONTENT))
def test_no_content_breaks_loading(changes: dict[str, bytes]) -> None:
    """
    Safety: whatever the files hold, loading ends in a declaration or in problems that can be printed.
    """
    tree: Tree = FilesInMemory({**a_fleet(a=group_text("a"), b=group_text("b")), **changes})

    for problem in validate(tree):
        assert str(problem).isprintable()
        assert problem.line >= 1


NAMES = st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1, max_size=4, unique=True)
SIZES = st.one_of(st.integers(1, 200_000).map(str), st.integers(1, 100).map(lambda it: f"{it}%"))
SOAKS = st.tuples(st.integers(1, 3650), st.sampled_from(["ms", "s", "m", "h", "d"])).map(lambda it: f"{it[0]}{it[1]}")


@st.composite
def valid_groups(draw: st.DrawFn) -> str:
    """Draw a group that is valid in every field that it has."""
    waves = [
        f"{{name: w{n}, size: {size}, soak: {soak}}}"
        for n, (size, soak) in enumerate(draw(st.lists(st.tuples(SIZES, SOAKS), max_size=4)))
    ]
    waves.append("{name: last, size: rest, approval: required}")
    days = draw(st.lists(st.sampled_from(["mon", "tue", "wed", "sat"]), min_size=1, unique=True))
    budget = draw(st.integers(0, 9))
    spec = (
        f"  strategy: {{waves: [{', '.join(waves)}], deadline: {draw(SOAKS)}, failureBudget: {budget}}}\n"
        f"  windows: [{{days: [{', '.join(days)}], from: '08:00', until: '{draw(st.integers(9, 23)):02}:30'}}]\n"
        f"  halted: {draw(st.sampled_from(['true', 'false']))}\n"
        f"  metadataVersion: {draw(st.sampled_from(['auto', 'hold', '4.3-IV0', '3.9-IV0']))}\n"
        f"  finalize: {{soak: {draw(SOAKS)}}}\n"
        f"  gates: [{{prometheus: {{name: g, query: up, above: {draw(st.integers(-9, 9))}, below: 9.5}}}}]\n"
        f"  expedite: [{{version: 4.3.2, reason: x, by: y, until: 2026-12-01, soak: {draw(SOAKS)}}}]\n"
    )
    return group_text("a", spec, clusters=f"{{names: [{', '.join(repr(name) for name in draw(NAMES))}]}}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_groups(), st.sampled_from(["\n", "\r\n"]))
def test_a_valid_declaration_stays_equal_through_loading_again(text: str, line_end: str) -> None:
    """
    Safety: the same files mean the same, cold or from what was kept, whatever ends their lines.
    """
    cache = BlobCache()
    first = load(FilesInMemory(a_fleet(a=text)), cache)
    files = a_fleet(a=text.replace("\n", line_end))

    assert first == load(FilesInMemory(files), cache) == load(FilesInMemory(files), BlobCache())
    assert first.groups[0].strategy.waves[-1].size.is_rest


def test_the_designs_own_example_is_valid(tmp_path: Path) -> None:
    """
    Every field of the design is known, and each of its parts arrives.
    """
    files = FleetFiles(tmp_path)
    for path, text in DESIGN.items():
        files.write(path, text)

    declaration = files.load()
    group = files.loaded("prod-eu")

    assert ["strimzi", "simulated", "lab"] == [source.type for source in declaration.sources]
    assert (1, 2) == (len(declaration.expedite), len(group.gates))
    assert {"canary": "true"} == group.strategy.waves[0].select


DESIGN = {
    "fleet.yaml": """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {name: acme}
spec:
  sources:
    - {name: eu, type: strimzi, context: eu-prod, namespaces: ["kafka-*"]}
    - {name: try, type: simulated, inventory: simulation/clusters.yaml}
    - {name: lab, type: lab, directory: /var/lib/wavefleet-lab}
  limits:
    clustersInFlight: 10
    perDomain: [{label: region, clusters: 3}]
    neverTogether: [dr-pair]
    unavailable: 5%
  freezes:
    - name: peak-trade
      from: 2026-11-26T00:00
      until: 2026-12-01T00:00
      timezone: Europe/Berlin
      groups: ["prod-*"]
      reason: peak trade
  expedite:
    - {version: 4.3.2, groups: ["*"], reason: x, by: ana, until: 2026-12-01, soak: 10m, ignoreWindows: true}
  halted: false
  defaults:
    strategy: {failureBudget: 0}
    windows: []
    finalize: {soak: 7d}
    health: {samples: 3}
""",
    "groups/prod.yaml": group_text("staging"),
    "groups/prod-eu.yaml": """\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {name: prod-eu}
spec:
  kafkaVersion: 4.3.1
  metadataVersion: auto
  clusters:
    selector: {matchLabels: {env: prod, region: eu}}
  after: [staging]
  strategy:
    waves:
      - {name: canary, size: 1, soak: 24h, select: {matchLabels: {canary: "true"}}}
      - {name: early, size: 10%, soak: 4h}
      - {name: broad, size: rest, maxInFlight: 5, soak: 4h, approval: required}
    failureBudget: 0
    deadline: 3h
    onFailure: downgrade
  finalize: {soak: 7d}
  windows:
    - {days: [mon, tue, wed, thu], from: "09:00", until: "16:00", timezone: Europe/Berlin}
  health: {samples: 3}
  gates:
    - {prometheus: {name: p99-produce, query: "…", below: 0.25, samples: 3}}
    - {webhook: {name: change-calendar, url: "https://changes.example.com/may-start"}}
  expedite: []
  holds:
    - {cluster: orders-eu-3, reason: "INC-4711", until: 2026-12-31}
  approvals:
    - {wave: broad, version: 4.3.1, by: ana, until: 2026-12-24}
  acceptRisks: [KAFKA-20322]
  acknowledge: [prod-eu-7]
""",
    "releases.yaml": """\
apiVersion: wavefleet.io/v1
kind: ReleaseCatalog
spec:
  blocked: [{version: 4.2.0, reason: "breaks our quota plugin"}]
  releases: [{version: 4.3.1-acme1, like: 4.3.1}]
""",
}


@pytest.mark.parametrize(
    ("files", "file", "line", "field", "found"),
    [
        (
            a_fleet(a=group_text("a", "  after: [{group: b}]\n")),
            "groups/a.yaml",
            7,
            "spec.after[0]",
            "fields ('group')",
        ),
        (a_fleet(a=group_text("a", "  after:\n    - [b]\n")), "groups/a.yaml", 8, "spec.after[0]", "a list of 1"),
        (
            a_fleet(a=group_text("a", "  health: {ignoreTopics: [[t]]}\n")),
            "groups/a.yaml",
            7,
            "spec.health.ignoreTopics[0]",
            "a list of 1",
        ),
        (
            a_fleet() | {"fleet.yaml": FLEET + "    - {name: eu, type: strimzi, namespaces: [[a], [a]]}\n"},
            "fleet.yaml",
            7,
            "spec.sources[1].namespaces[0]",
            "a list of 1",
        ),
    ],
)
def test_what_is_no_word_in_a_list_of_words_is_told(
    files: dict[str, str | bytes], file: str, line: int, field: str, found: str
) -> None:
    """
    A list or an object there is a mistake like any other, and nothing that ends the daemon.
    """
    first = validate(FilesInMemory(files))[0]

    assert (file, line, field, found) == (first.file, first.line, first.field, first.found)
    assert first.expected


def test_what_our_own_code_stumbles_over_is_a_problem_of_the_declaration() -> None:
    """
    The last valid revision stays in force, and whoever merged this sees the file and what to report.
    """
    files = FilesInMemory(a_fleet(a=group_text("a")))
    files.files["groups/b.yaml"] = StumblingBlock(b"kind: ClusterGroup")

    (problem,) = validate(files)

    assert ("groups/b.yaml", 1) == (problem.file, problem.line)
    assert problem.found.startswith("content that Wavefleet stumbles over (TypeError: ")
    assert "report" in problem.expected
    with pytest.raises(DeclarationError):
        load(files, BlobCache())
