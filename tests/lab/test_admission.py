"""What may be rolled to, decided before a broker is touched, and remembered so that a fetch is not repeated."""

from controller.errors import LabError
from controller.lab.admission import Admission, LevelAdmission
from controller.lab.releases import Release
from controller.lab.toolchain import Stopped
from controller.labfiles import WantedFile
from tests.lab.labs import LEVEL_OF_NEW, LEVEL_OF_OLD, NEW, OLD, a_node

NODES = (a_node(1), a_node(2))


class Shop:
    """Gives releases, unless it has a trouble to raise; remembers who asked."""

    def __init__(self, trouble: LabError | None = None) -> None:
        self.trouble = trouble
        self.asked: list[str] = []

    def provide(self, release: Release) -> None:
        """Give a release, or raise."""
        self.asked.append(str(release))
        if self.trouble is not None:
            raise self.trouble


def test_a_release_is_admitted_once_it_is_there() -> None:
    """
    It is fetched at the first look and not again at the next ones.
    """
    admission, shop = Admission(), Shop()

    admitted = [admission.admit(WantedFile(2, NEW), NODES, LEVEL_OF_OLD, shop.provide) for _ in range(3)]

    assert [NEW] * 3 == admitted
    assert [NEW] == shop.asked
    assert admission.refusal is None


def test_nothing_is_admitted_while_the_level_is_unknown() -> None:
    """
    Unknown holds: nobody has seen the finalized metadata.version, so no release is judged, nor refused.
    """
    admission, shop = Admission(), Shop()

    assert admission.admit(WantedFile(2, NEW), NODES, None, shop.provide) is None
    assert [] == shop.asked
    assert admission.refusal is None


def test_what_all_brokers_run_needs_no_judgement() -> None:
    """
    A cluster on its release is never refused it, whatever became of the release since.
    """
    shop = Shop(LabError("gone"))

    assert OLD == Admission().admit(WantedFile(2, OLD), NODES, None, shop.provide)
    assert [] == shop.asked


def test_a_refused_release_is_not_fetched_again_at_every_look() -> None:
    """
    Maven is asked again after a minute, or at once when something else is wanted.
    """
    admission, shop = Admission(), Shop(LabError("not to be had"))

    assert [None] * 3 == [admission.admit(WantedFile(2, NEW), NODES, LEVEL_OF_OLD, shop.provide) for _ in range(3)]
    assert ([NEW], "not to be had") == (shop.asked, admission.refusal)

    shop.trouble = None
    assert "4.2.1" == admission.admit(WantedFile(3, "4.2.1"), NODES, LEVEL_OF_OLD, shop.provide)
    assert admission.refusal is None


def test_a_level_that_rose_meanwhile_ends_an_admission() -> None:
    """
    Safety: metadata.version is finalized in the middle of a downgrade; the next broker is not rolled.
    """
    admission, shop = Admission(), Shop()

    assert "4.0.2" == admission.admit(WantedFile(2, "4.0.2"), NODES, 25, shop.provide)
    assert admission.admit(WantedFile(2, "4.0.2"), NODES, LEVEL_OF_OLD, shop.provide) is None
    assert admission.refusal is not None


def test_an_operator_that_leaves_refuses_nothing() -> None:
    """
    A fetch that was broken off says nothing about the release.
    """
    admission = Admission()

    assert admission.admit(WantedFile(2, NEW), NODES, LEVEL_OF_OLD, Shop(Stopped("leaving")).provide) is None
    assert admission.refusal is None


def test_a_level_is_admitted_while_it_is_not_finalized() -> None:
    """
    Until it was seen at the wanted level or above; where none is wanted, none is admitted.
    """
    levels, wanted = LevelAdmission(), WantedFile(3, NEW, metadata_level=LEVEL_OF_NEW)

    assert [LEVEL_OF_NEW, None, None] == [levels.admit(wanted, level) for level in (LEVEL_OF_OLD, LEVEL_OF_NEW, 33)]
    assert levels.admit(WantedFile(3, NEW), LEVEL_OF_OLD) is None
    assert levels.refusal is None


def test_no_level_is_admitted_while_the_finalized_one_is_unknown() -> None:
    """
    Unknown holds.
    """
    levels = LevelAdmission()

    assert levels.admit(WantedFile(3, NEW, metadata_level=LEVEL_OF_NEW), None) is None
    assert levels.refusal is None


def test_a_level_that_the_release_does_not_serve_is_refused_until_something_else_is_wanted() -> None:
    """
    The sentence stays with its generation; a newer release, or a level that is served, ends it.
    """
    levels = LevelAdmission()

    assert levels.admit(WantedFile(3, OLD, metadata_level=LEVEL_OF_NEW), LEVEL_OF_OLD) is None
    assert levels.refusal is not None
    assert "Apache Kafka 4.1.2 serves at most 27" in levels.refusal
    assert LEVEL_OF_NEW == levels.admit(WantedFile(4, NEW, metadata_level=LEVEL_OF_NEW), LEVEL_OF_OLD)
    assert levels.refusal is None


def test_a_level_that_the_brokers_refuse_is_not_asked_of_them_at_every_look() -> None:
    """
    They are asked again after a minute, or at once when something else is wanted.
    """
    levels, wanted = LevelAdmission(), WantedFile(3, NEW, metadata_level=LEVEL_OF_NEW)
    assert LEVEL_OF_NEW == levels.admit(wanted, LEVEL_OF_OLD)
    levels.refuse(wanted, "broker 2 does not support it")

    assert [None] * 3 == [levels.admit(wanted, LEVEL_OF_OLD) for _ in range(3)]
    assert "broker 2 does not support it" == levels.refusal
    assert LEVEL_OF_NEW == levels.admit(WantedFile(4, NEW, metadata_level=LEVEL_OF_NEW), LEVEL_OF_OLD)
