"""What may be rolled to, decided before a broker is touched, and remembered so that a fetch is not repeated."""

from controller.errors import LabError
from controller.lab.admission import Admission
from controller.lab.releases import Release
from controller.lab.toolchain import Stopped
from controller.labfiles import WantedFile
from tests.lab.labs import LEVEL_OF_OLD, NEW, OLD, a_node

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
