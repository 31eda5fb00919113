"""The lab as a fleet: what its files and its brokers together mean. The source's promises: ``tests/contracts``."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import ApplyRefused
from controller.fleets.lab import SILENT_AFTER, LabSource
from controller.labfiles import (
    LabFile,
    OperatorState,
    cluster_folder,
    lab_file,
    read_lab,
    read_wanted,
    replace_file,
    write_wanted,
)
from controller.model.observation import Endpoints, Reading, Unknown
from controller.versions import MetadataVersion
from tests.builders import LEVEL_41, LEVEL_43, NEW, NOON, OLD, SECOND, a_start, release
from tests.contracts.fleet_worlds import make_cluster, speak


@dataclass
class Lab:
    """A lab of one cluster, in which the test speaks for the operator."""

    folder: Path
    source: LabSource

    def shown(self, now_after: timedelta = timedelta(0), *, full: bool = True) -> Reading | Unknown:
        """What the cluster shows so long after noon."""
        asked = frozenset({"lab/lab-1"}) if full else frozenset[str]()
        return self.source.read(asked, NOON + now_after).clusters["lab/lab-1"].reading

    def known(self, now_after: timedelta = timedelta(0), *, full: bool = True) -> Reading:
        """What the cluster shows, which can be read."""
        reading = self.shown(now_after, full=full)
        assert isinstance(reading, Reading), reading
        return reading


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab whose operator spoke at noon."""
    replace_file(lab_file(tmp_path), LabFile(("lab-1",), brokers=3, release=OLD))
    folder = make_cluster(tmp_path, "lab-1")
    return Lab(folder, LabSource("lab", tmp_path, {LEVEL_41.level: LEVEL_41}))


def test_a_rolling_cluster_shows_its_mix_and_how_far_it_is(lab: Lab) -> None:
    """
    The exact releases are the operator's word.
    """
    write_wanted(lab.folder, release=NEW, expected_generation=1)
    speak(lab.folder, state=OperatorState.ROLLING, releases=[NEW, OLD, OLD], message="rolling broker 2")

    reading = lab.known()

    assert (release(OLD), release(NEW), release(NEW)) == (reading.release, reading.highest, reading.wanted)
    assert ("2", False, "1 of 3 brokers") == (reading.token, reading.settled, reading.progress)
    assert "id-of-lab-1" == reading.kafka_id


def test_an_operator_that_has_not_read_the_wish_leaves_it_unsettled(lab: Lab) -> None:
    """
    Ready speaks of the generation that it observed, and of no later one.
    """
    write_wanted(lab.folder, release=NEW, expected_generation=1)

    assert not lab.known().settled


def test_a_refusal_is_shown_in_the_operators_own_words(lab: Lab) -> None:
    """
    A wish that it took and refuses is a sentence for people, as long as it speaks of that wish.
    """
    write_wanted(lab.folder, release="9.9.9", expected_generation=1)
    speak(lab.folder, state=OperatorState.REFUSED, releases=[OLD] * 3, message="9.9.9 cannot be had")

    assert "9.9.9 cannot be had" == lab.known().refused
    assert not lab.known().settled
    write_wanted(lab.folder, release=OLD, expected_generation=2)
    assert lab.known().refused is None


def test_an_operator_that_fails_blocks(lab: Lab) -> None:
    """
    A broker that does not start is unhealthy, whatever the others say of themselves.
    """
    speak(lab.folder, state=OperatorState.FAILED, message="broker 2 does not start")

    (finding,) = lab.known().findings

    assert ("operator_failed", "broker 2 does not start") == (finding.id, finding.detail)
    assert not lab.known().healthy


def test_a_silent_operator_settles_nothing(lab: Lab) -> None:
    """
    Its last word ages: after half a minute nobody may rely on it, and a warning says what to do.
    """
    fresh, old = lab.known(SILENT_AFTER), lab.known(SILENT_AFTER + SECOND)

    assert fresh.settled
    assert not old.settled
    assert old.healthy
    assert "wavefleet lab up" in old.findings[0].detail


def test_a_level_that_nobody_listed_keeps_its_number(lab: Lab) -> None:
    """
    A metadata.version newer than the catalog is told by its level, since what it forbids follows from that.
    """
    speak(lab.folder, level=99)

    assert MetadataVersion(99, "level 99") == lab.known().metadata_version
    assert "level 99" == str(lab.known().metadata_version)


def test_its_brokers_can_be_found_by_whoever_asks_them(lab: Lab) -> None:
    """
    Their addresses, and which there should be; also while its operator says nothing.
    """
    (lab.folder / "status.json").unlink()
    cluster = lab.source.read(frozenset(), NOON).clusters["lab/lab-1"]

    addresses = ("127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003")
    assert Endpoints(addresses, frozenset({1, 2, 3})) == cluster.endpoints
    assert isinstance(cluster.reading, Unknown)


def test_what_nobody_asked_to_be_read_in_full_says_so(lab: Lab) -> None:
    """
    The files are read all the same.
    """
    reading = lab.known(full=False)

    assert not reading.full
    assert (release(OLD), LEVEL_41) == (reading.release, reading.metadata_version)


def test_a_hold_by_annotation_is_shown(lab: Lab) -> None:
    """
    People hold a cluster at its own resource, and the reason is theirs.
    """
    write_wanted(lab.folder, release=OLD, expected_generation=1, annotations={"wavefleet.io/hold": "INC-4711"})

    assert "INC-4711" == lab.known().held


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("status.json", None, "the operator of lab-1 has not spoken yet"),
        ("status.json", b'{"observedGen', "expected a StatusFile"),
        ("wanted.json", None, "found no file"),
        ("wanted.json", b'{"generation": 1, "release": "latest"}', "'latest' is no release"),
        ("cluster.json", b"[]", "expected a ClusterFile"),
        (
            "cluster.json",
            b'{"name": "lab-1", "clusterId": "x", "brokers": [], "labels": {"env": "prod"}}',
            r"expected \[\] of cluster.json",
        ),
    ],
)
def test_files_that_cannot_be_used_make_the_cluster_unknown(
    lab: Lab, file: str, content: bytes | None, why: str
) -> None:
    """
    The sentence names the file or what it lacks; the labels of before are kept, so the cluster stays in its group.
    """
    lab.known()
    (lab.folder / file).unlink()
    if content is not None:
        (lab.folder / file).write_bytes(content)

    cluster = lab.source.read(frozenset({"lab/lab-1"}), NOON).clusters["lab/lab-1"]

    assert isinstance(cluster.reading, Unknown)
    assert re.search(why, cluster.reading.why), cluster.reading.why
    assert {"env": "prod"} == dict(cluster.labels)


def test_a_cluster_that_is_not_made_yet_is_not_listed(lab: Lab) -> None:
    """
    A lab that is being made shows the clusters that are there.
    """
    directory = lab.folder.parent.parent
    replace_file(lab_file(directory), LabFile(("lab-1", "lab-2"), brokers=3, release=OLD))
    assert ("lab-1", "lab-2") == read_lab(directory).clusters

    assert ["lab/lab-1"] == list(lab.source.read(frozenset(), NOON).clusters)
    assert not cluster_folder(directory, "lab-2").exists()


def test_a_start_writes_the_release_and_the_fleets_mark(lab: Lab) -> None:
    """
    The operator reads the wish, people read whose it is; what others noted there stays.
    """
    write_wanted(lab.folder, release=OLD, expected_generation=1, annotations={"example.org/note": "keep"})

    lab.source.start(a_start("lab/lab-1", token="2"), NOON)

    wanted = read_wanted(lab.folder)
    assert (3, NEW) == (wanted.generation, wanted.release)
    assert {"example.org/note": "keep", "wavefleet.io/fleet": "acme"} == wanted.annotations


def test_a_finalization_writes_the_level_and_leaves_the_release(lab: Lab) -> None:
    """
    One file, one generation, one precondition for both.
    """
    lab.source.start(a_start("lab/lab-1", LEVEL_43), NOON)

    wanted = read_wanted(lab.folder)
    assert (2, OLD, LEVEL_43.level) == (wanted.generation, wanted.release, wanted.metadata_level)
    assert {"wavefleet.io/fleet": "acme"} == wanted.annotations


def test_a_level_that_is_asked_for_is_unsettled_until_it_is_finalized(lab: Lab) -> None:
    """
    While the operator works on it.
    """
    lab.source.start(a_start("lab/lab-1", LEVEL_43), NOON)
    speak(lab.folder, state=OperatorState.ROLLING, message="finalizing metadata.version at level 30")
    assert ("finalizing level 30", False) == (lab.known().progress, lab.known().settled)

    speak(lab.folder, level=LEVEL_43.level)
    assert lab.known().settled


def test_a_release_keeps_a_level_that_is_done_and_puts_back_one_that_is_not(lab: Lab) -> None:
    """
    Safety: only a level above the pinned one could be raised with the roll, so only that one is withdrawn.
    """
    write_wanted(lab.folder, release=OLD, metadata_level=LEVEL_41.level, expected_generation=1)
    lab.source.start(a_start("lab/lab-1", token="2", pinned=LEVEL_43), NOON)
    assert LEVEL_41.level == read_wanted(lab.folder).metadata_level

    write_wanted(lab.folder, release=NEW, metadata_level=33, expected_generation=3)
    lab.source.start(a_start("lab/lab-1", release("4.4.0"), token="4", pinned=LEVEL_43), NOON)

    assert (5, LEVEL_43.level) == (read_wanted(lab.folder).generation, read_wanted(lab.folder).metadata_level)


def test_a_folder_that_cannot_be_written_refuses_the_start(lab: Lab) -> None:
    """
    A lock that cannot be had means that nothing began.
    """
    (lab.folder / "wanted.lock").unlink()
    (lab.folder / "wanted.lock").mkdir()

    with pytest.raises(ApplyRefused, match="nothing was changed"):
        lab.source.start(a_start("lab/lab-1"), NOON)
    assert 1 == read_wanted(lab.folder).generation
