"""Levels of metadata.version on real brokers: the way back is open until one is finalized, and shut after that."""

import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.fleets.kafka_health import KafkaBrokers
from controller.fleets.lab import LabSource
from controller.lab.cluster_view import LevelRefused, finalize_level
from controller.lab.up import lab_up
from controller.labfiles import read_clusters
from controller.model.history import RolloutKind
from controller.model.observation import Reading
from controller.model.plan import Start
from controller.model.versions import MetadataVersion
from tests.builders import LEVEL_41, OLD, a_start, release
from tests.system.lab_fixtures import lab_folder

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    # kafka-python 3.0.12 loads its schemas by a function that Python 3.11 deprecates.
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
    # And where a connection is refused it leaves the socket to the garbage collector, so collect within these marks.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

CLUSTER = "lab/lab-1"
BETWEEN = "4.2.1"
LEVEL_42 = MetadataVersion(29, "4.2-IV1")
LEVEL_43 = MetadataVersion(30, "4.3-IV0", changes_metadata=True)
ROLL_SECONDS = 300
ANSWER_SECONDS = 60


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A lab of one cluster with three brokers, on the old release and its level."""
    with lab_folder(tmp_path / "lab") as folder:
        lab_up(folder, clusters=1, brokers=3, release=OLD, progress=print)
        yield folder


@pytest.fixture
def source(directory: Path) -> Iterator[LabSource]:
    """The lab as the daemon reads it."""
    # What the client logs of a refused connection holds on to its socket for as long as the log is captured.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    levels = {level.level: level for level in (LEVEL_41, LEVEL_42, LEVEL_43)}
    made = LabSource("lab", directory, KafkaBrokers(10), levels)
    yield made
    made.close()
    gc.collect()


def test_the_way_back_is_open_until_a_level_is_finalized_and_shut_after_that(
    directory: Path, source: LabSource
) -> None:
    """
    Safety: 4.1.2 rolls to 4.2.1, back, and up again; no broker is touched for a level that 4.2.1 does not serve; once
    4.2-IV1 is finalized its operator refuses 4.1.2, and every broker goes on running 4.2.1.
    """
    start(source, a_start(CLUSTER, release(BETWEEN), pinned=LEVEL_41))
    up = await_reading(source, lambda it: is_well(it) and it.release == release(BETWEEN), ROLL_SECONDS)
    assert (LEVEL_41, None) == (up.metadata_version, up.wanted_metadata)
    start(source, a_start(CLUSTER, release(OLD), release_from=release(BETWEEN), pinned=LEVEL_41))
    back = await_reading(source, lambda it: is_well(it) and it.highest == release(OLD), ROLL_SECONDS)
    assert LEVEL_41 == back.metadata_version

    start(source, a_start(CLUSTER, release(BETWEEN), pinned=LEVEL_41))
    await_reading(source, lambda it: is_well(it) and it.release == release(BETWEEN), ROLL_SECONDS)
    start(source, a_finalization(LEVEL_43))
    unserved = await_reading(source, lambda it: it.refused is not None, ANSWER_SECONDS)
    assert unserved.refused is not None
    assert "cannot be finalized at level 30: Apache Kafka 4.2.1 serves at most 29" in unserved.refused
    assert (LEVEL_41, False) == (unserved.metadata_version, unserved.settled)
    with pytest.raises(LevelRefused, match="cannot be finalized at level 30: "):  # the brokers' own word
        finalize_level(read_clusters(directory)[0].brokers, LEVEL_43.level)
    start(source, a_finalization(LEVEL_42))
    finalized = await_reading(source, lambda it: is_well(it) and it.metadata_version == LEVEL_42, ANSWER_SECONDS)
    assert (LEVEL_42, release(BETWEEN), "acme") == (finalized.wanted_metadata, finalized.release, finalized.fleet)

    start(source, a_start(CLUSTER, release(OLD), release_from=release(BETWEEN), pinned=LEVEL_42))
    shut = await_reading(source, lambda it: it.refused is not None, ANSWER_SECONDS)
    assert shut.refused is not None
    assert shut.refused.startswith("metadata.version is finalized at level 29, Apache Kafka 4.1.2 runs 7 to 27")
    assert (release(BETWEEN), release(BETWEEN), LEVEL_42) == (shut.release, shut.highest, shut.metadata_version)
    assert shut.healthy


def a_finalization(level: MetadataVersion) -> Start:
    """A start that raises the level the cluster was made with."""
    return a_start(CLUSTER, level, kind=RolloutKind.METADATA, release_from=LEVEL_41)


def start(source: LabSource, wish: Start) -> None:
    """Ask for it, judged from what is seen now."""
    source.start(replace(wish, token=seen(source).token), datetime.now(UTC))  # noqa: TID251 - real time


def seen(source: LabSource) -> Reading:
    """What the cluster shows now, in full; it must never turn unknown."""
    reading = source.read(frozenset({CLUSTER}), datetime.now(UTC)).clusters[CLUSTER].reading  # noqa: TID251 - real time
    assert isinstance(reading, Reading), reading
    return reading


def await_reading(source: LabSource, is_reached: Callable[[Reading], bool], seconds: float) -> Reading:
    """Read until ``is_reached``, and return that reading."""
    limit = time.monotonic() + seconds
    while not is_reached(reading := seen(source)):
        assert time.monotonic() < limit, f"not reached within {seconds} seconds, last {reading}"
        time.sleep(0.2)
    return reading


def is_well(reading: Reading) -> bool:
    """Nothing is being done, and nothing is wrong."""
    return reading.settled and reading.healthy
