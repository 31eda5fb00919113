"""The Fleet: sources, freezes, limits and the files that may be read, with every mistake told."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller.model.calendar import Freeze
from controller.model.declaration import DomainLimit, Limits, SourceDeclaration
from controller.model.places import Place
from tests.builders_repository import FLEET, FleetFiles


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_a_full_fleet_means_what_it_says(files: FleetFiles) -> None:
    """
    Sources with the options of their type, limits, freezes and the big red button.
    """
    declaration = files.fleet(
        "    - {name: lab, type: lab, directory: /var/lib/wavefleet-lab}\n"
        "  limits:\n"
        "    clustersInFlight: 20\n"
        "    perDomain: [{label: region, clusters: 3}, {label: example.com/zone, clusters: 1}]\n"
        "    neverTogether: [dr-pair]\n"
        "    unavailable: 10%\n"
        "  freezes:\n"
        "    - {name: peak, from: 2026-11-26T00:00, until: 2026-12-01, timezone: Europe/Berlin, groups: [prod, p-*],"
        " reason: peak trade}\n"
        "    - {name: all, from: 2026-12-24, until: 2026-12-24, reason: quiet}\n"
        "  halted: true\n"
    ).load()

    here = Place("fleet.yaml", 6)
    assert "acme" == declaration.fleet
    assert (
        SourceDeclaration("try", "simulated", {"inventory": "simulation/clusters.yaml"}, here),
        SourceDeclaration("lab", "lab", {"directory": "/var/lib/wavefleet-lab"}, Place("fleet.yaml", 7)),
    ) == declaration.sources
    assert ["try"] == list(declaration.inventories)
    assert (
        Limits(20, (DomainLimit("region", 3), DomainLimit("example.com/zone", 1)), ("dr-pair",), 10)
        == declaration.limits
    )
    assert declaration.halted
    berlin = ZoneInfo("Europe/Berlin")
    assert (
        Freeze(
            name="peak",
            from_=datetime(2026, 11, 25, 23, tzinfo=UTC),
            until=datetime(2026, 12, 1, 23, tzinfo=UTC),
            zone=berlin,
            zone_name="Europe/Berlin",
            groups=("prod", "p-*"),
            reason="peak trade",
            place=Place("fleet.yaml", 14),
        )
        == declaration.freezes[0]
    )
    assert ("*",) == declaration.freezes[1].groups
    assert (datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 25, tzinfo=UTC)) == (
        declaration.freezes[1].from_,
        declaration.freezes[1].until,
    )


def test_clusters_on_kubernetes_are_found_by_context_namespaces_and_labels(files: FleetFiles) -> None:
    """
    All of it is optional: without a context and a file it is the Kubernetes that the controller runs in, all of it.
    """
    declaration = files.fleet(
        "    - {name: here, type: strimzi}\n"
        "    - name: eu\n"
        "      type: strimzi\n"
        "      context: eu-prod\n"
        "      kubeconfig: /etc/wavefleet/kubeconfig\n"
        "      namespaces: [kafka-*, streams]\n"
        "      selector: {matchLabels: {team: payments}}\n"
        "      takeOver: true\n"
    ).load()

    _, here, eu = declaration.sources
    assert SourceDeclaration("here", "strimzi", {}, Place("fleet.yaml", 7)) == here
    assert {"context": "eu-prod", "kubeconfig": "/etc/wavefleet/kubeconfig"} == eu.options
    assert (("kafka-*", "streams"), {"team": "payments"}, True) == (eu.namespaces, eu.selector, eu.take_over)


def test_a_fleet_without_limits_means_the_table_of_defaults(files: FleetFiles) -> None:
    """
    Ten clusters in flight, no domains, nobody apart, a breaker at five percent, and nothing urgent.
    """
    declaration = files.load()

    assert Limits(10, (), (), 5) == declaration.limits
    assert () == declaration.expedite


@pytest.mark.parametrize(
    ("spec", "line", "field", "found"),
    [
        (
            "    - {name: try, type: lab, directory: /x}",
            7,
            "spec.sources[1].name",
            "a second source 'try'; the first is in fleet.yaml:6",
        ),
        ("    - {name: Lab, type: lab, directory: /x}", 7, "spec.sources[1].name", "'Lab'"),
        ("    - {name: lab, type: lab}", 7, "spec.sources[1].directory", "nothing"),
        ("    - {name: more, type: simulated}", 7, "spec.sources[1].inventory", "nothing"),
        ("    - {name: lab, type: lab, directory: /x, inventory: a}", 7, "spec.sources[1].inventory", "'a'"),
        ("    - {name: lab, type: docker}", 7, "spec.sources[1].type", "'docker'"),
        ("    - {name: eu, type: strimzi, directory: /x}", 7, "spec.sources[1].directory", "'/x'"),
        ("    - {name: eu, type: strimzi, inventory: a}", 7, "spec.sources[1].inventory", "'a'"),
        ("    - {name: eu, type: strimzi, kubeconfig: config}", 7, "spec.sources[1].kubeconfig", "'config'"),
        ("    - {name: eu, type: strimzi, context: ''}", 7, "spec.sources[1].context", "''"),
        ("    - {name: eu, type: strimzi, namespaces: []}", 7, "spec.sources[1].namespaces", "an empty list"),
        ("    - {name: eu, type: strimzi, namespaces: [Kafka]}", 7, "spec.sources[1].namespaces[0]", "'Kafka'"),
        ("    - {name: eu, type: strimzi, namespaces: [a, a]}", 7, "spec.sources[1].namespaces[1]", "a second 'a'"),
        (
            "    - {name: eu, type: strimzi, selector: {matchLabels: {}}}",
            7,
            "spec.sources[1].selector.matchLabels",
            "no fields",
        ),
        ("    - {name: eu, type: strimzi, takeOver: yes}", 7, "spec.sources[1].takeOver", "'yes'"),
        ("    - {name: lab, type: lab, directory: /x, takeOver: true}", 7, "spec.sources[1].takeOver", "'true'"),
        ("    - {type: lab, directory: /x}", 7, "spec.sources[1].name", "nothing"),
        ("  limits: {clustersInFlight: 0}", 7, "spec.limits.clustersInFlight", "'0'"),
        ("  limits: {perDomain: [{label: region}]}", 7, "spec.limits.perDomain[0].clusters", "nothing"),
        ("  limits: {perDomain: [{clusters: 1}]}", 7, "spec.limits.perDomain[0].label", "nothing"),
        ("  limits: {perDomain: [{label: -x, clusters: 1}]}", 7, "spec.limits.perDomain[0].label", "'-x'"),
        ("  limits: {perDomain: [{label: region, clusters: 0}]}", 7, "spec.limits.perDomain[0].clusters", "'0'"),
        (
            "  limits: {perDomain: [{label: region, clusters: 1}, {label: region, clusters: 2}]}",
            7,
            "spec.limits.perDomain[1].label",
            "a second limit of 'region'; the first is in fleet.yaml:7",
        ),
        ("  limits: {neverTogether: dr-pair}", 7, "spec.limits.neverTogether", "'dr-pair'"),
        ("  limits: {neverTogether: [a, a]}", 7, "spec.limits.neverTogether[1]", "a second 'a'"),
        ("  limits: {neverTogether: [a b]}", 7, "spec.limits.neverTogether[0]", "'a b'"),
        ("  limits: {unavailable: 5}", 7, "spec.limits.unavailable", "'5'"),
        ("  limits: {unavailable: 0%}", 7, "spec.limits.unavailable", "'0%'"),
        ("  limits: {unavailable: 101%}", 7, "spec.limits.unavailable", "'101%'"),
        ("  defaults: {finalize: {soak: x}}", 7, "spec.defaults.finalize.soak", "'x'"),
        ("  defaults: {finalize: 7d}", 7, "spec.defaults.finalize", "'7d'"),
        ("  defaults: {gates: []}", 7, "spec.defaults.gates", "an unknown field 'gates'"),
        (
            "  defaults: {strategy: {waves: [{name: a, size: rest, select: {matchLabels: {a: b}}}]}}",
            7,
            "spec.defaults.strategy.waves[0].select",
            "a wave with `size: rest` that selects by labels",
        ),
        ("  defaults: {halted: true}", 7, "spec.defaults.halted", "an unknown field 'halted'"),
        (
            "  defaults: {strategy: {waves: [{name: a, size: 1}]}}",
            7,
            "spec.defaults.strategy.waves",
            "waves that never reach rest: the last has the size 1",
        ),
        (
            "  freezes: [{name: a, from: 2026-12-02, until: 2026-12-01, reason: x}]",
            7,
            "spec.freezes[0].until",
            "an end that does not lie after the beginning (2026-12-02 00:00 UTC until 2026-12-02 00:00 UTC)",
        ),
        (
            "  freezes: [{name: a, from: 1999-12-02, until: 2026-12-01, reason: x}]",
            7,
            "spec.freezes[0].from",
            "'1999-12-02'",
        ),
        ("  freezes: [{name: a, from: 2026-12-01, until: 2026-12-02}]", 7, "spec.freezes[0].reason", "nothing"),
        (
            "  freezes: [{name: a, from: 2026-12-01, until: 2026-12-02, reason: x, groups: [prdo]}]",
            7,
            "spec.freezes[0].groups[0]",
            "'prdo', which is no group of this fleet",
        ),
        (
            "  freezes: [{name: a, from: 2026-12-01, until: 2026-12-02, reason: x, groups: []}]",
            7,
            "spec.freezes[0].groups",
            "an empty list",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(files: FleetFiles, spec: str, line: int, field: str, found: str) -> None:
    """
    One problem per mistake, at its line and field.
    """
    problems = files.fleet(f"{spec}\n").problems()

    assert [("fleet.yaml", line, field, found)] == [(it.file, it.line, it.field, it.found) for it in problems]


@pytest.mark.parametrize(
    "path", ["../a", "/etc/passwd", "a/../../b", ".git/config", "./..", ".", "':!a'", "':(top)a'", "a*", "-r"]
)
def test_an_inventory_stays_inside_the_repository(files: FleetFiles, path: str) -> None:
    """
    No path leads out, whatever it names, and none means more to Git than a path.
    """
    problems = files.write("fleet.yaml", FLEET.replace("simulation/clusters.yaml", path)).problems()

    found = "'" + path.strip("'") + "'"
    assert [("spec.sources[0].inventory", found)] == [(it.field, it.found) for it in problems]


def test_an_inventory_whose_name_no_disk_takes_is_told_where_it_stands(files: FleetFiles) -> None:
    """
    There is no such file, which the author mends; nobody's machine failed.
    """
    (problem,) = files.write("fleet.yaml", FLEET.replace("simulation/clusters.yaml", "a" * 300)).problems()

    assert ("fleet.yaml", 6, "spec.sources[0].inventory") == (problem.file, problem.line, problem.field)
    assert "where there is no file" in problem.found


def test_a_path_may_be_written_in_more_than_one_way(files: FleetFiles) -> None:
    """
    Dots and slashes that change nothing change nothing.
    """
    declaration = files.write("fleet.yaml", FLEET.replace("simulation/", "./simulation//")).load()

    assert {"inventory": "simulation/clusters.yaml"} == declaration.sources[0].options


def test_an_inventory_that_is_not_there_is_told_at_its_source(files: FleetFiles) -> None:
    """
    The line that names it is the line to mend.
    """
    told = files.write("fleet.yaml", FLEET.replace("clusters", "cluster")).told()

    assert [
        (
            "fleet.yaml:6: spec.sources[0].inventory: found 'simulation/cluster.yaml', where there is no file "
            "(no link is "
            "followed), expected the path of an inventory in this repository"
        )
    ] == told


def test_links_are_refused_by_name(files: FleetFiles, tmp_path: Path) -> None:
    """
    A symbolic link is never followed, wherever it stands and whatever it leads to.
    """
    for path in ("fleet.yaml", "groups/prod.yaml", "simulation/clusters.yaml"):
        content = (tmp_path / path).read_text()
        (tmp_path / path).unlink()
        files.write("kept.txt", content)
        (tmp_path / path).symlink_to(tmp_path / "kept.txt")

        assert [
            f"{path}:1: (file): found a symbolic link, expected a file of this repository: copy the content here"
        ] == files.told()
        (tmp_path / path).unlink()
        files.write(path, content)


def test_a_folder_of_groups_that_is_a_link_is_refused(files: FleetFiles, tmp_path: Path) -> None:
    """
    It would otherwise read as a fleet without groups.
    """
    (tmp_path / "groups").rename(tmp_path / "elsewhere")
    (tmp_path / "groups").symlink_to("elsewhere")

    assert ["groups:1: (file): found a symbolic link, expected a file of this repository: copy the content here"] == (
        files.told()
    )


def test_a_file_over_a_mebibyte_is_refused(files: FleetFiles) -> None:
    """
    It is told with its size and is not read.
    """
    files.write("groups/prod.yaml", b"#" * (1024 * 1024 + 1))

    assert [
        "groups/prod.yaml:1: (file): found 1048577 bytes, expected at most 1048576 (1 MiB): split it into several files"
    ] == files.told()


def test_an_empty_repository_is_told_what_it_needs(tmp_path: Path) -> None:
    """
    The first thing that a newcomer sees says what to write.
    """
    files = FleetFiles(tmp_path)
    for path in ("fleet.yaml", "groups/prod.yaml", "simulation/clusters.yaml"):
        (tmp_path / path).unlink()

    expected = "expected a file fleet.yaml with one object of kind Fleet"
    assert [f"fleet.yaml:1: (file): found no such file, {expected}"] == files.told()
    files.write("fleet.yml", FLEET)
    assert [f"fleet.yaml:1: (file): found only a fleet.yml, {expected}"] == files.told()


def test_a_groups_file_with_the_other_ending_is_refused(files: FleetFiles) -> None:
    """
    It would otherwise be a group that nobody upgrades.
    """
    files.write("groups/test.yml", "x: 1")

    assert [
        "groups/test.yml:1: (file): found the ending .yml, expected the ending .yaml: rename it to groups/test.yaml"
    ] == files.told()


def test_other_files_do_not_matter(files: FleetFiles) -> None:
    """
    Whatever else a repository holds is neither read nor judged.
    """
    for path in (
        "README.md",
        "groups/README.md",
        "groups/more/x.yaml",
        "groups/.x.yaml",
        "releases.yml",
        "x/fleet.yaml",
    ):
        files.write(path, b"\0\xff")

    assert [] == files.told()


def test_a_file_named_groups_is_no_folder(files: FleetFiles, tmp_path: Path) -> None:
    """
    It is told as what it is.
    """
    (tmp_path / "groups" / "prod.yaml").unlink()
    (tmp_path / "groups").rmdir()

    assert ["groups:1: (file): found a file, expected a folder with files of groups"] == files.write(
        "groups", "x"
    ).told()


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("fleet.yaml", "", "fleet.yaml:1: (file): found no content, expected one object of kind Fleet"),
        (
            "fleet.yaml",
            f"{FLEET}---\n{FLEET}",
            "fleet.yaml:8: kind: found a second Fleet; the first is in line 1, expected one Fleet in fleet.yaml",
        ),
        (
            "groups/prod.yaml",
            FLEET,
            "groups/prod.yaml:2: kind: found 'Fleet', expected ClusterGroup, the only kind in this file",
        ),
        (
            "simulation/clusters.yaml",
            "- a\n",
            "simulation/clusters.yaml:1: (file): found a list of 1, expected an object of kind Inventory",
        ),
        (
            "groups/prod.yaml",
            "text\n",
            "groups/prod.yaml:1: (file): found 'text', expected an object of kind ClusterGroup",
        ),
    ],
)
def test_each_file_holds_its_kind(files: FleetFiles, path: str, content: str, told: str) -> None:
    """
    One Fleet in its file, groups in theirs, one inventory in its own.
    """
    assert [told] == files.write(path, content).told()


def test_several_groups_may_share_a_file(files: FleetFiles, tmp_path: Path) -> None:
    """
    One object per document, any number of documents, and lines are those of the file.
    """
    one = (tmp_path / "groups/prod.yaml").read_text()
    files.write("groups/prod.yaml", f"# two groups\n---\n{one}---\n{one.replace('prod', 'test')}---\n# the end\n")

    declaration = files.load()

    assert ["prod", "test"] == [group.name for group in declaration.groups]
    assert [3, 10] == [group.place.line for group in declaration.groups]


def test_the_version_of_the_schemas_is_asked_for(files: FleetFiles) -> None:
    """
    An object of another version, or of none, is not guessed at.
    """
    told = files.write("fleet.yaml", FLEET.replace("wavefleet.io/v1", "wavefleet.io/v2")).told()

    assert ["fleet.yaml:1: apiVersion: found 'wavefleet.io/v2', expected wavefleet.io/v1"] == told
    assert ["fleet.yaml:1: apiVersion: found nothing, expected wavefleet.io/v1"] == (
        files.write("fleet.yaml", FLEET.partition("\n")[2]).told()
    )
