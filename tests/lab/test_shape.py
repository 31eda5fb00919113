"""What a lab is asked to be: both forms, what is left out, what is refused, and what a lab that is there must be."""

import pytest

from controller.errors import LabError
from controller.lab.shape import Asked
from controller.labfiles import ClusterShape, LabFile

MIXED = Asked(named=("orders=3.9.2:3", "audit=4.3.1:1"))


def test_clusters_alike_are_numbered() -> None:
    """
    So many clusters on one release; nothing asked is one cluster of three brokers, plain.
    """
    assert LabFile(("lab-1", "lab-2"), 1, "4.3.1") == Asked(clusters=2, brokers=1, release="4.3.1").new_lab()
    assert LabFile(("lab-1",), 3, "4.1.2") == Asked().new_lab()
    assert Asked(secure=True).new_lab().secure


def test_clusters_one_by_one_have_their_own_release_and_brokers() -> None:
    """
    What a cluster leaves out is what is asked for all of them, or else the default.
    """
    lab = Asked(named=("a=3.9.2:1", "b=4.3.1", "c"), brokers=2, release="4.4.0").new_lab()

    assert ("a", "b", "c") == lab.clusters
    assert [ClusterShape(1, "3.9.2"), ClusterShape(2, "4.3.1"), ClusterShape(2, "4.4.0")] == [*map(lab.shape, "abc")]
    assert ClusterShape(3, "4.1.2") == Asked(named=("d",)).new_lab().shape("d")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked(clusters=0), "clusters: found 0, expected 1 to 20"),
        (Asked(brokers=10), "brokers: found 10, expected 1 to 9"),
        (Asked(release="4.1"), "release: found '4.1', expected an Apache Kafka release such as 4.3.1"),
        (Asked(named=("a=4.1.2:0",)), "brokers of a: found 0, expected 1 to 9"),
        (
            Asked(named=("a=4.1.2:x",)),
            "cluster: found 'a=4.1.2:x', expected NAME=RELEASE:BROKERS such as orders=4.1.2:3",
        ),
        (Asked(named=("a=",)), "cluster: found 'a=', expected NAME=RELEASE:BROKERS such as orders=4.1.2:3"),
        (Asked(named=("a=soon:1",)), "release: found 'soon', expected an Apache Kafka release such as 4.3.1"),
        (Asked(named=("a", "b", "a")), "cluster: found a twice, expected each name once"),
        (Asked(named=tuple(f"c{number}" for number in range(21))), "clusters: found 21, expected 1 to 20"),
        (Asked(named=("old=3.4.1",), secure=True), "old: found Apache Kafka 3.4.1, expected 3.5.0 or newer for secure"),
    ],
)
def test_a_shape_that_cannot_be_honoured_is_one_sentence(asked: Asked, sentence: str) -> None:
    """
    With what was found and what was expected.
    """
    with pytest.raises(LabError) as error:
        asked.new_lab()

    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("name", ["", "../etc", "a/b", "A", "-a", "a-", "a b", "x" * 41])
def test_a_name_that_is_no_folder_of_ours_is_refused(name: str) -> None:
    """
    Safety: names become folders that are deleted, so no path is one.
    """
    with pytest.raises(LabError, match=r"found the name .*, expected 1 to 40 lower-case letters"):
        Asked(named=(f"{name}=4.1.2:1",)).new_lab()


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked(release="4.4.0"),
        Asked(secure=False),
        MIXED,
        Asked(named=("orders=4.4.0", "audit=4.4.0:1")),
    ],
)
def test_a_lab_that_is_there_fits_what_is_left_out_and_what_is_repeated(asked: Asked) -> None:
    """
    Releases are for new clusters alone, so another one is no misfit.
    """
    assert asked.misfit(MIXED.new_lab()) is None


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            Asked(clusters=2),
            "found a lab of orders with 3 brokers, audit with 1 broker, expected 2 clusters with 3 brokers",
        ),
        (Asked(brokers=3), "expected orders with 3 brokers, audit with 3 brokers"),
        (Asked(named=("orders=3.9.2:3",)), "expected orders with 3 brokers"),
        (Asked(secure=True), "found a lab with plain listeners, expected secure"),
    ],
)
def test_a_lab_that_is_there_is_not_made_another(asked: Asked, why: str) -> None:
    """
    The sentence has both shapes.
    """
    assert why in str(asked.misfit(MIXED.new_lab()))


def test_the_release_that_was_asked_for_a_cluster_is_told() -> None:
    """
    By its own name first, else that of all; none where none was asked.
    """
    assert ["3.9.2", "4.3.1"] == [MIXED.release_of(name) for name in ("orders", "audit")]
    assert ["4.4.0", None] == [Asked(release="4.4.0").release_of("lab-1"), Asked().release_of("lab-1")]
    assert "4.4.0" == Asked(named=("a",), release="4.4.0").release_of("a")
    assert Asked(named=("a",)).release_of("a") is None
