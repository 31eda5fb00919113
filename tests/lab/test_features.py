"""Which release runs which finalized metadata.version, at both sides of each boundary."""

import re
from pathlib import Path

import pytest

import controller
from controller.lab.features import LEVEL_MAX, refusal_of_finalization, refusal_of_level
from controller.lab.releases import Release


@pytest.mark.parametrize(("release", "level"), [("4.1.2", 27), ("4.1.2", 7), ("3.9.2", 1), ("3.9.2", 21)])
def test_a_release_runs_the_levels_of_its_line_and_below(release: str, level: int) -> None:
    """
    Up to its own level, and for 4.x down to 3.3-IV3.
    """
    assert refusal_of_level(Release.parse(release), level) is None


@pytest.mark.parametrize(
    ("release", "level", "sentence"),
    [
        ("4.1.2", 28, "Apache Kafka 4.1.2 runs 7 to 27, so its brokers would not start; ask for 4.2 or newer"),
        ("3.9.2", 22, "Apache Kafka 3.9.2 runs 1 to 21, so its brokers would not start; ask for 4.0 or newer"),
        ("4.4.0", 99, "Apache Kafka 4.4.0 runs 7 to 33, so its brokers would not start; ask for a newer release"),
        ("4.0.0", 6, "Apache Kafka 4.0.0 runs 7 or higher; finalize 3.3-IV3 or higher first"),
    ],
)
def test_a_level_outside_is_refused_with_the_numbers_and_a_way(release: str, level: int, sentence: str) -> None:
    """
    The sentence has the found level, the range, and what to do.
    """
    refusal = refusal_of_level(Release.parse(release), level)

    assert f"metadata.version is finalized at level {level}, {sentence}" == refusal


def test_a_line_newer_than_the_table_is_not_refused() -> None:
    """
    A table that ages must not forbid the future; every release reads what its elders finalized.
    """
    assert refusal_of_level(Release.parse("9.0.0"), 99) is None


@pytest.mark.parametrize(
    ("release", "level", "sentence"),
    [
        ("4.2.1", 29, None),
        ("4.2.1", 30, "Apache Kafka 4.2.1 serves at most 29; roll the cluster to 4.3 or newer first"),
        ("4.4.0", 33, None),
        ("4.4.0", 34, "Apache Kafka 4.4.0 serves at most 33; roll the cluster to a newer release first"),
        ("9.0.0", 99, None),
    ],
)
def test_a_level_is_finalized_only_where_the_release_serves_it(release: str, level: int, sentence: str | None) -> None:
    """
    At both sides of the highest level; of a line newer than the table the brokers themselves know best.
    """
    expected = sentence and f"metadata.version cannot be finalized at level {level}: {sentence}"

    assert expected == refusal_of_finalization(Release.parse(release), level)


def test_the_table_agrees_with_the_release_catalog() -> None:
    """
    The lab may not import the catalog, so a test holds the two copies together.
    """
    catalog = (Path(controller.__file__).parent / "repository" / "kafka-releases.yaml").read_text()
    pattern = re.compile(r'version: "(\d+)\.(\d+)\.\d+".*?metadata_level: (\d+)', re.DOTALL)
    levels = {(int(major), int(minor)): int(level) for major, minor, level in pattern.findall(catalog)}

    assert LEVEL_MAX == {line: level for line, level in levels.items() if line >= (3, 3)}
