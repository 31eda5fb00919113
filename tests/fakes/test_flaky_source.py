"""The flaky source fails as it is told to, and the same way from the same seed."""

import threading
from random import Random

import pytest

from controller.errors import ApplyInDoubt, ApplyRefused, ObservationError
from controller.fleets.simulated import SimulatedSource
from controller.model.inventory import FaultKind
from controller.model.observation import Reading, Unknown
from tests.builders import HOUR, NEW, NOON, OLD, a_fault, a_simulated_cluster, a_start, an_inventory, release
from tests.fakes.flaky_source import CALM, FlakySource, HangingSource, Trouble


def a_fleet() -> SimulatedSource:
    """Twenty simulated clusters, one of them unhealthy from the start."""
    clusters = [a_simulated_cluster(f"a-{number}") for number in range(20)]
    source = SimulatedSource("sim", an_inventory(*clusters, faults=[a_fault(FaultKind.UNHEALTHY, "a-1")]), None)
    source.read(frozenset(), NOON)
    return source


def wanted(source: SimulatedSource) -> object:
    """What the first cluster is asked for in truth."""
    reading = source.read(frozenset(), NOON).clusters["sim/a-1"].reading
    return reading.wanted if isinstance(reading, Reading) else reading


@pytest.mark.parametrize(
    ("trouble", "error", "taken"),
    [
        (Trouble(refused=1), ApplyRefused, OLD),
        (Trouble(lost=1), ApplyInDoubt, OLD),
        (Trouble(unseen=1), ApplyInDoubt, NEW),
    ],
)
def test_a_start_fails_before_or_after_it_was_taken(trouble: Trouble, error: type[Exception], taken: str) -> None:
    """
    In doubt says nothing of what happened: the wish may be lost or taken; refused is never taken.
    """
    within = a_fleet()
    flaky = FlakySource(within, Random(1), trouble)

    with pytest.raises(error, match="injected"):
        flaky.start(a_start(), NOON)

    assert release(taken) == wanted(within)
    assert 1 == flaky.faults.total()


def test_a_read_fails_goes_stale_or_loses_clusters() -> None:
    """
    Each fault of reading shows as the port allows it.
    """
    within = a_fleet()
    flaky = FlakySource(within, Random(1), Trouble(unreadable=1))
    with pytest.raises(ObservationError, match="injected"):
        flaky.read(frozenset(), NOON)

    flaky.trouble = Trouble(unknown=0.5)
    clusters = flaky.read(frozenset(), NOON).clusters.values()
    assert 0 < sum(isinstance(cluster.reading, Unknown) for cluster in clusters) < 20

    flaky.trouble = CALM
    calm = flaky.read(frozenset(), NOON)
    within.start(a_start(), NOON)
    flaky.trouble = Trouble(stale=1)
    assert calm is flaky.read(frozenset(), NOON + HOUR)


def test_health_is_read_only_where_it_was_asked_for() -> None:
    """
    The simulated fleet reads everything in full; through the flaky source one sees what a real one would show.
    """
    flaky = FlakySource(a_fleet(), Random(1), CALM)

    thin = flaky.read(frozenset({"sim/a-2"}), NOON).clusters["sim/a-1"].reading
    full = flaky.read(frozenset({"sim/a-1"}), NOON).clusters["sim/a-1"].reading

    assert isinstance(thin, Reading)
    assert isinstance(full, Reading)
    assert (False, ()) == (thin.full, thin.findings)
    assert full.full
    assert not full.healthy


def test_one_seed_gives_one_bad_day() -> None:
    """
    The same calls in the same order fail the same way.
    """

    def bad_day(seed: int) -> list[str]:
        flaky = FlakySource(a_fleet(), Random(seed), Trouble(0.3, 0.3, 0.3, 0.3, 0.3, 0.3))
        told = []
        for number in range(40):
            try:
                told.append(str(flaky.read(frozenset(), NOON + number * HOUR)))
                flaky.start(a_start(f"sim/a-{number % 20}"), NOON + number * HOUR)
            except (ObservationError, ApplyRefused, ApplyInDoubt) as error:
                told.append(str(error))
        return told

    assert bad_day(7) == bad_day(7)
    assert bad_day(7) != bad_day(8)


def test_a_hanging_source_answers_once_it_is_let_go() -> None:
    """
    Until then whoever asked waits, in bounds.
    """
    hanging = HangingSource(a_fleet(), limit_seconds=30)
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(len(hanging.read(frozenset(), NOON).clusters)))
    asker.start()
    assert hanging.entered.wait(30)
    assert [] == answers
    hanging.let_go()
    asker.join(30)

    assert [20] == answers
    with pytest.raises(ObservationError, match="no answer within"):
        HangingSource(a_fleet(), limit_seconds=0).read(frozenset(), NOON)
    with pytest.raises(ApplyInDoubt, match="no answer within"):
        HangingSource(a_fleet(), limit_seconds=0).start(a_start(), NOON)
