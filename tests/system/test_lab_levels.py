"""Levels of metadata.version on real brokers: the way back is open until one is finalized, and shut after that."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.history.records import RolloutKind
from controller.lab.cluster_view import LevelRefused, finalize_level
from controller.lab.up import lab_up
from controller.labfiles import read_clusters
from controller.model.plan import Start
from controller.versions import MetadataVersion
from tests.builders import LEVEL_41, OLD, a_start, release
from tests.system.lab_fixtures import lab_folder
from tests.system.lab_sights import LabSight, is_well

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
def sight(directory: Path) -> LabSight:
    """The lab as the daemon reads it."""
    return LabSight(directory, CLUSTER, (LEVEL_41, LEVEL_42, LEVEL_43))


def test_the_way_back_is_open_until_a_level_is_finalized_and_shut_after_that(directory: Path, sight: LabSight) -> None:
    """
    Safety: 4.1.2 rolls to 4.2.1, back, and up again; no broker is touched for a level that 4.2.1 does not serve; once
    4.2-IV1 is finalized its operator refuses 4.1.2, and every broker goes on running 4.2.1.
    """
    start(sight, a_start(CLUSTER, release(BETWEEN), pinned=LEVEL_41))
    up = sight.await_reading(lambda it: is_well(it) and it.release == release(BETWEEN), ROLL_SECONDS)[-1]
    assert (LEVEL_41, None) == (up.metadata_version, up.wanted_metadata)
    start(sight, a_start(CLUSTER, release(OLD), release_from=release(BETWEEN), pinned=LEVEL_41))
    back = sight.await_reading(lambda it: is_well(it) and it.highest == release(OLD), ROLL_SECONDS)[-1]
    assert LEVEL_41 == back.metadata_version

    start(sight, a_start(CLUSTER, release(BETWEEN), pinned=LEVEL_41))
    sight.await_reading(lambda it: is_well(it) and it.release == release(BETWEEN), ROLL_SECONDS)[-1]
    start(sight, a_finalization(LEVEL_43))
    unserved = sight.await_reading(lambda it: it.refused is not None, ANSWER_SECONDS)[-1]
    assert unserved.refused is not None
    assert "cannot be finalized at level 30: Apache Kafka 4.2.1 serves at most 29" in unserved.refused
    assert (LEVEL_41, False) == (unserved.metadata_version, unserved.settled)
    with pytest.raises(LevelRefused, match="cannot be finalized at level 30: "):  # the brokers' own word
        finalize_level(read_clusters(directory)[0].brokers, LEVEL_43.level)
    start(sight, a_finalization(LEVEL_42))
    finalized = sight.await_reading(lambda it: is_well(it) and it.metadata_version == LEVEL_42, ANSWER_SECONDS)[-1]
    assert (LEVEL_42, release(BETWEEN), "acme") == (finalized.wanted_metadata, finalized.release, finalized.fleet)

    start(sight, a_start(CLUSTER, release(OLD), release_from=release(BETWEEN), pinned=LEVEL_42))
    shut = sight.await_reading(lambda it: it.refused is not None, ANSWER_SECONDS)[-1]
    assert shut.refused is not None
    assert shut.refused.startswith("metadata.version is finalized at level 29, Apache Kafka 4.1.2 runs 7 to 27")
    assert (release(BETWEEN), release(BETWEEN), LEVEL_42) == (shut.release, shut.highest, shut.metadata_version)
    assert shut.healthy


def a_finalization(level: MetadataVersion) -> Start:
    """A start that raises the level the cluster was made with."""
    return a_start(CLUSTER, level, kind=RolloutKind.METADATA, release_from=LEVEL_41)


def start(sight: LabSight, wish: Start) -> None:
    """Ask for it, judged from what is seen now."""
    sight.start(replace(wish, token=sight.known().token))
