"""The files by which a lab's operator and its askers speak to each other."""

import threading
from pathlib import Path

import pytest

from controller import labfiles
from controller.errors import LabError, UnknownLabName


def asked(folder: Path) -> Path:
    """A cluster's folder in which 4.1.2 is asked for, with a note of somebody else."""
    labfiles.write_wanted(folder, release="4.1.2", expected_generation=0, annotations={"example.org/note": "keep"})
    return folder


def test_a_wish_goes_up_one_generation_and_keeps_what_others_noted(tmp_path: Path) -> None:
    """
    Annotations are merged; an empty text takes one away.
    """
    folder = asked(tmp_path)

    assert 2 == labfiles.write_wanted(folder, release="4.3.1", expected_generation=1, annotations={"a": "1", "b": "2"})
    assert 3 == labfiles.write_wanted(folder, release="4.3.1", expected_generation=2, annotations={"b": ""})

    wanted = labfiles.read_wanted(folder)
    assert (3, "4.3.1") == (wanted.generation, wanted.release)
    assert {"example.org/note": "keep", "a": "1"} == wanted.annotations


def test_a_release_and_a_level_are_asked_for_beside_each_other(tmp_path: Path) -> None:
    """
    A wish for one leaves the other as it was asked, and a file without a level says that it stays.
    """
    folder = asked(tmp_path)
    assert labfiles.read_wanted(folder).metadata_level is None

    labfiles.write_wanted(folder, release="4.1.2", metadata_level=27, expected_generation=1)
    labfiles.write_wanted(folder, release="4.3.1", expected_generation=2)

    wanted = labfiles.read_wanted(folder)
    assert (3, "4.3.1", 27) == (wanted.generation, wanted.release, wanted.metadata_level)
    assert '"metadataLevel": 27' in (folder / "wanted.json").read_text()
    assert {"example.org/note": "keep"} == wanted.annotations


@pytest.mark.parametrize("expected", [0, 2, -1])
def test_a_wish_judged_from_another_generation_changes_nothing(tmp_path: Path, expected: int) -> None:
    """
    The conflict names both generations.
    """
    folder = asked(tmp_path)
    before = (folder / "wanted.json").read_bytes()

    with pytest.raises(labfiles.GenerationConflict, match=f"found generation 1, expected {expected}"):
        labfiles.write_wanted(folder, release="4.3.1", expected_generation=expected)

    assert before == (folder / "wanted.json").read_bytes()


def test_one_of_many_writers_of_one_generation_wins(tmp_path: Path) -> None:
    """
    However many write at once, one is taken and every other is told.
    """
    folder = asked(tmp_path)
    barrier = threading.Barrier(5)
    told: list[str] = []

    def write(number: int) -> None:
        barrier.wait(10)
        try:
            labfiles.write_wanted(folder, release=f"4.3.{number}", expected_generation=1)
        except labfiles.GenerationConflict as conflict:
            told.append(str(conflict))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert 4 == len(told)
    assert 2 == labfiles.read_wanted(folder).generation


def test_a_wish_in_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """
    A cluster that vanished cannot be asked for anything.
    """
    with pytest.raises(LabError, match="nothing was changed"):
        labfiles.write_wanted(tmp_path / "gone", release="4.3.1", expected_generation=0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "found no lab.json, expected a lab"),
        (b"{", "expected a LabFile"),
        (b"\xff\xfe", "expected a LabFile"),
        (b'{"clusters": ["../etc"], "brokers": 3, "release": "4.1.2"}', "found a cluster named '../etc'"),
        (b" " * (labfiles.FILE_BYTES_MAX + 1), "longer than 1048576 bytes"),
    ],
)
def test_a_folder_that_is_no_lab_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    """
    A name that is none of the lab's own never becomes a path.
    """
    if content is not None:
        labfiles.lab_file(tmp_path).write_bytes(content)

    with pytest.raises(LabError, match=why):
        labfiles.read_lab(tmp_path)


def test_keys_that_nobody_knows_are_passed_over(tmp_path: Path) -> None:
    """
    A newer lab may say more than this program reads.
    """
    labfiles.lab_file(tmp_path).write_bytes(b'{"clusters": ["lab-1"], "brokers": 3, "release": "4.1.2", "more": [1]}')

    assert ("lab-1",) == labfiles.read_lab(tmp_path).clusters
    assert () == labfiles.read_clusters(tmp_path)


def test_a_lab_of_different_clusters_says_what_each_is_made_with(tmp_path: Path) -> None:
    """
    Those that were asked for one by one by their own shape, others by that of all; a lab from before is plain.
    """
    shapes = {"orders": labfiles.ClusterShape(brokers=1, release="3.9.2")}
    labfiles.replace_file(labfiles.lab_file(tmp_path), labfiles.LabFile(("orders", "audit"), 3, "4.1.2", shapes))

    lab = labfiles.read_lab(tmp_path)
    assert shapes["orders"] == lab.shape("orders")
    assert labfiles.ClusterShape(brokers=3, release="4.1.2") == lab.shape("audit")
    assert not lab.secure


def test_a_cluster_is_found_by_its_name_alone(tmp_path: Path) -> None:
    """
    Another name is told with those there are; a cluster that is not made yet is another matter.
    """
    labfiles.replace_file(labfiles.lab_file(tmp_path), labfiles.LabFile(("lab-1", "lab-2"), 1, "4.1.2"))
    folder = labfiles.cluster_folder(tmp_path, "lab-1")
    folder.mkdir(parents=True)
    place = labfiles.BrokerPlace(1, "127.0.0.1", 20001, 20002, 20003)
    cluster = labfiles.ClusterFile("lab-1", "MkU3OEVBNTcwNTJENDM2Qk", (place,), secure=True)
    labfiles.replace_file(folder / "cluster.json", cluster)

    assert cluster == labfiles.find_cluster(tmp_path, "lab-1")
    assert '"internalPort": 20003' in (folder / "cluster.json").read_text()
    with pytest.raises(UnknownLabName, match=r"lab-3: found no such cluster in .*, expected one of lab-1, lab-2"):
        labfiles.find_cluster(tmp_path, "lab-3")
    with pytest.raises(LabError, match=r"lab-2: found no cluster\.json, expected a cluster that is made"):
        labfiles.find_cluster(tmp_path, "lab-2")


def test_credentials_lie_in_a_folder_of_the_lab(tmp_path: Path) -> None:
    """
    Under the names that a listener's credentials have everywhere.
    """
    files = labfiles.credentials_of(tmp_path)

    names = [path.name for path in (files.authorities, files.username, files.password, files.certificate, files.key)]
    assert ["ca.crt", "username", "password", "user.crt", "user.key"] == names
    assert tmp_path / "credentials" == files.folder
