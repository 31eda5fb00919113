"""When a cluster counts as healthy, as people write it."""

from pathlib import Path

import pytest

from controller.model.health import CHECKS, Health
from controller.model.observation import Severity
from controller.repository.schema import read_schema
from tests.builders_repository import FleetFiles

HEALTH = read_schema("definitions.schema.json")["$defs"]["health"]["properties"]


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A small valid fleet."""
    return FleetFiles(tmp_path)


def health(files: FleetFiles, written: str) -> Health:
    """What a group's ``health`` means."""
    return files.group(f"  health: {{{written}}}\n").loaded().health


def test_what_nobody_writes_has_the_schemas_defaults(files: FleetFiles) -> None:
    """
    An editor shows the very values that count.
    """
    bare = files.loaded().health

    assert Health() == bare
    assert (bare.asks_brokers, "on") == (True, HEALTH["brokers"]["default"])
    usage, lag = HEALTH["diskUsage"]["properties"], HEALTH["consumerLag"]["properties"]
    assert (f"{bare.disk_warn:.0%}", f"{bare.disk_block:.0%}") == (usage["warn"]["default"], usage["block"]["default"])
    assert str(bare.lag_above) == lag["above"]["default"]
    assert {name: check["default"] for name, check in HEALTH["checks"]["properties"].items()} == {
        name: severity.value for name, severity in CHECKS.items()
    }


def test_every_part_of_health_is_read(files: FleetFiles) -> None:
    """
    Checks by their names, shares in percent, patterns and names as they are written.
    """
    read = health(
        files,
        "samples: 5, brokers: off, checks: {rf1_topics: off, no_headroom: block, disk_usage: warn},"
        " diskUsage: {warn: 70%, block: 90%}, ignoreTopics: [scratch-*, tmp],"
        " consumerLag: {groups: [billing, 'team a'], above: 5000}",
    )

    assert read == Health(
        asks_brokers=False,
        severities={"rf1_topics": None, "no_headroom": Severity.BLOCK, "disk_usage": Severity.WARN},
        disk_warn=0.7,
        disk_block=0.9,
        ignored_topics=("scratch-*", "tmp"),
        consumer_groups=("billing", "team a"),
        lag_above=5000,
    )


def test_a_group_replaces_the_fleets_health_as_a_whole(files: FleetFiles) -> None:
    """
    Half of one and half of the other would be what nobody wrote.
    """
    files.fleet("  defaults: {health: {samples: 9, brokers: off}}\n")
    other = files.group("  health: {checks: {reassignment: warn}}\n", name="other").loaded("other")
    plain = files.loaded("prod")

    assert (9, False) == (plain.samples, plain.health.asks_brokers)
    assert (3, True, {"reassignment": Severity.WARN}) == (
        other.samples,
        other.health.asks_brokers,
        other.health.severities,
    )


@pytest.mark.parametrize(
    ("written", "field", "found"),
    [
        ("brokers: true", "spec.health.brokers", "'true'"),
        ("checks: {under_replicated: maybe}", "spec.health.checks.under_replicated", "'maybe'"),
        ("checks: {consumer_lag: block}", "spec.health.checks.consumer_lag", "'block'"),
        ("checks: {rf2_topics: warn}", "spec.health.checks", "an unknown field 'rf2_topics'"),
        ("diskUsage: {warn: 0.8}", "spec.health.diskUsage.warn", "'0.8'"),
        ("diskUsage: {warn: 90%}", "spec.health.diskUsage.warn", "a warning from 90% on, above the 85% that block"),
        ("diskUsage: {block: 70%}", "spec.health.diskUsage.block", "a warning from 80% on, above the 70% that block"),
        ("ignoreTopics: []", "spec.health.ignoreTopics", "an empty list"),
        ("ignoreTopics: ['a b']", "spec.health.ignoreTopics[0]", "'a b'"),
        ("consumerLag: {above: 5}", "spec.health.consumerLag.groups", "nothing"),
        ("consumerLag: {groups: ['*']}", "spec.health.consumerLag.groups[0]", "'*'"),
        ("consumerLag: {groups: [a, 'team-?']}", "spec.health.consumerLag.groups[1]", "'team-?'"),
        ("consumerLag: {groups: ['  ']}", "spec.health.consumerLag.groups[0]", "'  '"),
        ("consumerLag: {groups: [a, a]}", "spec.health.consumerLag.groups[1]", "a second 'a'"),
        ("consumerLag: {groups: [a], above: 0}", "spec.health.consumerLag.above", "'0'"),
    ],
)
def test_what_is_wrong_with_health_is_told_at_its_line(files: FleetFiles, written: str, field: str, found: str) -> None:
    """
    With the field, what was found, and what would be right.
    """
    (problem,) = files.group(f"  health: {{{written}}}\n").problems()

    assert problem.field.startswith(field)
    assert found in problem.found
    assert problem.expected


def test_a_pattern_of_consumer_groups_is_refused_with_what_would_be_right(files: FleetFiles) -> None:
    """
    It would be taken for a name that no group has, so that nobody's lag is read.
    """
    (problem,) = files.group("  health: {consumerLag: {groups: ['*']}}\n").problems()

    assert "the exact name of a consumer group" == problem.expected
