"""Groups: what is accepted and what it means, and every mistake with its file, line, field and what to do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller.model.calendar import Window
from controller.model.declaration import Approval, ClusterHold, OnFailure, Selector, Size, Strategy, Wave
from controller.model.places import Place
from controller.repository.catalog import built_in_catalog
from controller.versions import KafkaVersion
from tests.builders_repository import FleetFiles

HOUR = timedelta(hours=1)
FULL = """\
  metadataVersion: hold
  after: []
  strategy:
    waves:
      - {name: canary, size: 1, soak: 24h}
      - {name: early, size: "10%", soak: 90m}
      - {name: broad, size: rest, maxInFlight: 7, soak: 4h, approval: required}
    failureBudget: 5%
    deadline: 2h
    onFailure: halt
  windows:
    - {days: [mon, thu], from: "22:00", until: 04:00, timezone: Europe/Berlin}
    - {from: 00:00, until: "24:00"}
  health: {samples: 5}
  holds:
    - {cluster: orders-eu-3, reason: "INC-4711", until: 2026-12-31}
    - {cluster: orders-eu-4, reason: broken}
  approvals:
    - {wave: broad, version: 4.3.1, by: ana, until: 2026-12-24T12:00, timezone: Europe/Berlin}
    - {wave: broad, metadataVersion: 4.3-IV0, by: ana}
  acceptRisks: [KAFKA-20322, staging-3]
  acknowledge: [prod-7, prod-012]
  halted: true
"""


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_a_full_group_means_what_it_says(files: FleetFiles) -> None:
    """
    Every field of the design that is supported arrives as a typed value.
    """
    group = files.group(FULL, clusters="{names: [orders-eu-3, eu/kafka/orders-eu-4]}").loaded()

    def here(line: int) -> Place:
        return Place("groups/prod.yaml", line)

    berlin = ZoneInfo("Europe/Berlin")
    assert KafkaVersion(4, 3, 1) == group.target
    assert (here(1), here(5)) == (group.place, group.target_place)
    assert Selector(("orders-eu-3", "eu/kafka/orders-eu-4")) == group.selector
    assert (
        Strategy(
            (
                Wave("canary", Size(count=1), 24 * HOUR, 5, approval_required=False, place=here(11)),
                Wave("early", Size(percent=10), 1.5 * HOUR, 5, approval_required=False, place=here(12)),
                Wave("broad", Size(), 4 * HOUR, 7, approval_required=True, place=here(13)),
            ),
            Size(percent=5),
            2 * HOUR,
            OnFailure.HALT,
        )
        == group.strategy
    )
    assert (
        Window(frozenset({0, 3}), 1320, 240, berlin, "Europe/Berlin", here(18)),
        Window(frozenset(range(7)), 0, 1440, UTC, "UTC", here(19)),
    ) == group.windows
    assert 5 == group.samples
    assert (
        ClusterHold("orders-eu-3", "INC-4711", datetime(2027, 1, 1, tzinfo=UTC), here(22)),
        ClusterHold("orders-eu-4", "broken", None, here(23)),
    ) == group.holds
    assert (
        Approval("broad", "ana", KafkaVersion(4, 3, 1), datetime(2026, 12, 24, 11, tzinfo=UTC), here(25)),
        Approval("broad", "ana", built_in_catalog().metadata_versions["4.3-IV0"], None, here(26)),
    ) == group.approvals
    assert frozenset({"KAFKA-20322", "staging-3"}) == group.accept_risks
    assert frozenset({7, 12}) == group.acknowledge
    assert group.halted


def test_an_empty_group_means_the_table_of_defaults(files: FleetFiles) -> None:
    """
    Without a word of its own or of the fleet's, a group has the documented waves and limits.
    """
    group = files.loaded()

    assert [("canary", "1", 24 * HOUR), ("early", "10%", 4 * HOUR), ("rest", "rest", 4 * HOUR)] == [
        (wave.name, str(wave.size), wave.soak) for wave in group.strategy.waves
    ]
    assert {5} == {wave.max_in_flight for wave in group.strategy.waves}
    assert (Size(count=0), 3 * HOUR, OnFailure.HALT) == (
        group.strategy.failure_budget,
        group.strategy.deadline,
        group.strategy.on_failure,
    )
    assert (3, (), timedelta(days=7), False) == (group.samples, group.windows, group.finalize_soak, group.halted)


def test_a_wave_may_select_who_goes_first(files: FleetFiles) -> None:
    """
    Labels of a wave, of a group's own or of the fleet's default one; a wave without them takes anybody.
    """
    waves = "[{name: a, size: 1, select: {matchLabels: {tier: low, 010: on}}}, {name: b, size: rest}]"
    files.fleet(f"  defaults: {{strategy: {{waves: {waves}}}}}\n")
    files.group(f"  strategy: {{waves: {waves}}}\n", name="own")

    for name in ("prod", "own"):
        assert [{"tier": "low", "010": "on"}, {}] == [wave.select for wave in files.loaded(name).strategy.waves]


def test_a_failed_group_may_go_back(files: FleetFiles) -> None:
    """
    ``downgrade`` where it is asked for, in the group or in the fleet's defaults.
    """
    files.fleet("  defaults: {strategy: {onFailure: downgrade}}\n")
    files.group("  strategy: {onFailure: halt}\n", name="other")

    assert OnFailure.DOWNGRADE == files.loaded("prod").strategy.on_failure
    assert OnFailure.HALT == files.loaded("other").strategy.on_failure


def test_a_wave_without_a_soak_soaks_as_the_default_waves_do(files: FleetFiles) -> None:
    """
    A day for the first, four hours for each later one: never no soak at all.
    """
    group = files.group("  strategy: {waves: [{name: a, size: 2}, {name: b, size: rest}]}\n").loaded()

    assert [24 * HOUR, 4 * HOUR] == [wave.soak for wave in group.strategy.waves]


def test_a_group_replaces_whole_fields_of_the_fleets_defaults(files: FleetFiles) -> None:
    """
    What a group writes replaces the fleet's field as a whole; what it does not write is the fleet's.
    """
    files.fleet(
        "  defaults:\n"
        "    strategy: {deadline: 1h, waves: [{name: all, size: rest, soak: 2h}]}\n"
        "    windows: [{from: 09:00, until: 17:00}]\n"
        "    health: {samples: 9}\n"
    )

    other = files.group("  strategy: {failureBudget: 2}\n  windows: []\n", name="other").loaded("other")
    plain = files.loaded("prod")

    assert (["all"], HOUR, 9, 1) == (
        [wave.name for wave in plain.strategy.waves],
        plain.strategy.deadline,
        plain.samples,
        len(plain.windows),
    )
    assert (["canary", "early", "rest"], 3 * HOUR, 9, 0) == (
        [wave.name for wave in other.strategy.waves],
        other.strategy.deadline,
        other.samples,
        len(other.windows),
    )


MISTAKES = [
    tuple(part.split("\n----\n"))
    for part in (Path(__file__).parent / "group_mistakes.txt").read_text(encoding="utf-8").split("\n\n")[1:]
]


@pytest.mark.parametrize(("spec", "told"), MISTAKES)
def test_a_mistake_is_told_where_it_stands(files: FleetFiles, spec: str, told: str) -> None:
    """
    One line per mistake: FILE:LINE: FIELD: what was found, what was expected and what to do.
    """
    expected = [f"groups/prod.yaml:{line}" for line in told.strip().split("\n")]

    assert expected == files.group(f"{spec}\n").told()


@pytest.mark.parametrize("version", ["4.10", "4.3", "v4.3.1", "4.3.1 ", "04.3.1", "4.3.x"])
def test_a_version_that_is_none_is_told_as_it_was_written(files: FleetFiles, version: str) -> None:
    """
    ``4.10`` without quotes is told as ``4.10`` and never as ``4.1``.
    """
    told = files.group(version=f"'{version}'" if " " in version else version).told()

    expected = "a release with three numbers, such as 4.3.1"
    assert [f"groups/prod.yaml:5: spec.kafkaVersion: found '{version}', expected {expected}"] == told


@pytest.mark.parametrize(("version", "near"), [("4.1.9", "4.1.2"), ("9.9.9", "4.4.0"), ("3.9.2-acme1", "3.9.2")])
def test_an_unknown_release_is_told_with_the_newest_of_its_line(files: FleetFiles, version: str, near: str) -> None:
    """
    A target that the catalog does not have cannot be planned for, so the commit is refused.
    """
    told = files.group(version=version).told()

    expected = f"a release of the catalog such as {near}, or a row for it in releases.yaml"
    assert [f"groups/prod.yaml:5: spec.kafkaVersion: found '{version}', expected {expected}"] == told


@pytest.mark.parametrize(
    ("name", "found"),
    [("config", "'config'"), ("fleet", "'fleet'"), ("Prod", "'Prod'"), ("prod_eu", "'prod_eu'"), ("-prod", "'-prod'")],
)
def test_a_group_has_a_name_that_a_status_can_have(files: FleetFiles, name: str, found: str) -> None:
    """
    DNS-1123 labels, but for the two names of our own commit statuses.
    """
    problems = files.group(name=name, clusters="{names: [orders-eu-1]}").problems()

    assert [(f"groups/{name}.yaml", 3, "metadata.name", found)] == [
        (problem.file, problem.line, problem.field, problem.found) for problem in problems
    ]


@pytest.mark.parametrize(
    ("clusters", "field", "found"),
    [
        ("{}", "", "neither names nor selector"),
        ("{names: [a], selector: {matchLabels: {b: c}}}", "", "both names and selector"),
        ("{names: []}", ".names", "an empty list"),
        ("{names: [a, b, a]}", ".names[2]", "a second 'a'"),
        ("{names: [a b]}", ".names[0]", "'a b'"),
        ("{selector: {matchLabels: {}}}", ".selector.matchLabels", "no fields"),
        ("{selector: {}}", ".selector.matchLabels", "nothing"),
        ("{selector: {matchLabels: {-a: b}}}", '.selector.matchLabels["-a"]', "'-a'"),
        ("{selector: {matchLabels: {a: -b}}}", ".selector.matchLabels.a", "'-b'"),
    ],
)
def test_a_group_claims_by_names_or_by_labels(files: FleetFiles, clusters: str, field: str, found: str) -> None:
    """
    Exactly one of the two, neither empty, and each name once.
    """
    told = [(problem.line, problem.field, problem.found) for problem in files.group(clusters=clusters).problems()]

    assert [(6, f"spec.clusters{field}", found)] == told


def test_an_expired_approval_is_valid(files: FleetFiles) -> None:
    """
    Time passes without a commit: what has expired holds, and does not turn a valid revision into a wrong one.
    """
    files.fleet("  freezes: [{name: old, from: 2020-01-01, until: 2020-01-02, reason: x}]\n")
    files.group(
        "  approvals: [{wave: rest, version: 4.3.1, by: ana, until: 2020-01-01}]\n"
        "  holds: [{cluster: a, reason: x, until: 2020-01-01}]\n"
    )

    assert [] == files.told()


@pytest.mark.parametrize("version", ["4.2.0", "3.9.0"])
def test_a_known_bad_target_is_a_valid_declaration(files: FleetFiles, version: str) -> None:
    """
    Its group holds; refusing the revision would stop every group.
    """
    files.write("releases.yaml", CATALOG_BLOCKING)

    assert [] == files.group(version=version).told()


CATALOG_BLOCKING = """\
apiVersion: wavefleet.io/v1
kind: ReleaseCatalog
spec:
  blocked: [{version: 3.9.0, reason: breaks our quota plugin}]
"""


@pytest.mark.parametrize(
    ("names", "hold", "refused"),
    [
        ("orders-1", "orders-1", ""),
        ("eu/kafka/orders-1", "orders-1", ""),
        ("orders-1", "eu/kafka/orders-1", ""),
        ("eu/kafka/orders-1", "us/kafka/orders-1", "the nearest"),
        ("orders-1", "payments", "a cluster of this group: orders-1"),
    ],
)
def test_a_hold_names_a_cluster_of_its_group(files: FleetFiles, names: str, hold: str, refused: str) -> None:
    """
    A mistyped hold would hold nobody, so it is refused where the group's names tell.
    """
    told = files.group(f"  holds: [{{cluster: {hold}, reason: x}}]\n", clusters=f"{{names: [{names}]}}").told()

    assert bool(refused) == bool(told)
    assert all("which this group does not claim" in line and refused in line for line in told)


def test_all_mistakes_of_all_files_are_told_at_once_and_in_order(files: FleetFiles) -> None:
    """
    An author mends everything in one go: no mistake hides another, in its file or in a later one.
    """
    files.group(
        "  strategi: {}\n"
        "  windows:\n    - {from: 09:00, until: 09:00}\n    - {from: 09:00, until: 10:00, timezone: Nowhere}\n"
        "  strategy: {waves: [{name: a, size: 1}], deadline: 0s}\n",
        version="4.10",
    )
    files.group("  after: [nobody]\n", name="other", version="5.0.0")
    files.fleet("  limits: {clustersInFlight: 0}\n")

    assert [
        ("fleet.yaml", 7, "spec.limits.clustersInFlight"),
        ("groups/other.yaml", 5, "spec.kafkaVersion"),
        ("groups/other.yaml", 7, "spec.after[0]"),
        ("groups/prod.yaml", 5, "spec.kafkaVersion"),
        ("groups/prod.yaml", 7, "spec.strategi"),
        ("groups/prod.yaml", 9, "spec.windows[0].until"),
        ("groups/prod.yaml", 10, "spec.windows[1].timezone"),
        ("groups/prod.yaml", 11, "spec.strategy.deadline"),
    ] == [(problem.file, problem.line, problem.field) for problem in files.problems()]


@pytest.mark.parametrize(
    "spec", ["acknowledge: [prod-{}7]", "health: {{samples: {}1}}", "strategy: {{failureBudget: {}1%}}"]
)
def test_numbers_of_absurd_length_are_refused(files: FleetFiles, spec: str) -> None:
    """
    Digits without end are no number: told in short, and never converted.
    """
    told = files.group(f"  {spec.format('0' * 5000)}\n").told()

    assert 1 == len(told)
    assert "…', expected " in told[0]
