"""The metrics say what they were told, under labels that exist from the start and never grow without bound."""

from collections.abc import Mapping
from datetime import timedelta
from inspect import signature

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.errors import ApplyRefused, Problem, ReportDelayed, ReportRefused, RepositoryError
from controller.history.records import ClusterState, History
from controller.model.snapshot import Standing
from controller.model.verdict import Hold, HoldReason
from controller.ports import CycleEnd
from controller.ports import Metrics as MetricsPort
from controller.reports.metrics import CALL_OUTCOMES, CYCLE_RESULTS, SYSTEMS, Metrics
from tests.reports.plans import NOON, a_group, a_history, a_plan, a_stop


def value(metrics: Metrics, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    """Return the value that a scrape would see; None where there is no such series."""
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            if name == sample.name and (labels or {}) == sample.labels:
                return sample.value
    return None


def test_a_cycle_is_counted_timed_and_dated() -> None:
    """
    A cycle that went well shows in the count, the histogram and both dates.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_cycle_start(NOON)
    metrics.observe_cycle(CycleEnd("ok", timedelta(seconds=2), NOON + timedelta(seconds=2)))

    assert value(metrics, "wavefleet_cycles_total", {"result": "ok"}) == 1
    assert value(metrics, "wavefleet_cycle_duration_seconds_sum") == 2
    assert NOON.timestamp() == value(metrics, "wavefleet_cycle_last_start_timestamp_seconds")
    assert NOON.timestamp() + 2 == value(metrics, "wavefleet_cycle_last_end_timestamp_seconds")
    assert NOON.timestamp() + 2 == value(metrics, "wavefleet_cycle_last_success_timestamp_seconds")


@pytest.mark.parametrize("result", [result for result in CYCLE_RESULTS if result != "ok"])
def test_a_cycle_that_did_not_go_well_does_not_move_the_last_success(result: str) -> None:
    """
    The age of the last success is what people are woken by, so nothing else may touch it.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_cycle(CycleEnd("ok", timedelta(seconds=1), NOON))
    metrics.observe_cycle(CycleEnd(result, timedelta(seconds=1), NOON + timedelta(hours=1)))

    assert NOON.timestamp() == value(metrics, "wavefleet_cycle_last_success_timestamp_seconds")
    assert NOON.timestamp() + 3600 == value(metrics, "wavefleet_cycle_last_end_timestamp_seconds")
    assert value(metrics, "wavefleet_cycles_total", {"result": result}) == 1


def test_a_cycle_that_never_ends_is_a_start_without_an_end() -> None:
    """
    While a cycle hangs its start is later than the last end.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_cycle(CycleEnd("ok", timedelta(seconds=1), NOON))
    metrics.observe_cycle_start(NOON + timedelta(minutes=1))

    began = value(metrics, "wavefleet_cycle_last_start_timestamp_seconds")
    ended = value(metrics, "wavefleet_cycle_last_end_timestamp_seconds")
    assert began is not None
    assert ended is not None
    assert began > ended


def test_every_label_exists_before_anything_happened() -> None:
    """
    A series that is absent raises no alert, so each result, call and reason is there from the start, at zero.
    """
    metrics = Metrics("0.1.0")

    for result in CYCLE_RESULTS:
        assert value(metrics, "wavefleet_cycles_total", {"result": result}) == 0
    for system in SYSTEMS:
        assert value(metrics, "wavefleet_call_duration_seconds_count", {"system": system}) == 0
        for outcome in CALL_OUTCOMES:
            assert value(metrics, "wavefleet_calls_total", {"system": system, "outcome": outcome}) == 0
    for reason in HoldReason:
        assert value(metrics, "wavefleet_holds", {"reason": reason}) == 0
    assert value(metrics, "wavefleet_stops", {"group": "fleet", "kind": "halt"}) == 0
    assert value(metrics, "wavefleet_outbox_messages", {"channel": "slack"}) == 0
    assert value(metrics, "wavefleet_build_info", {"version": "0.1.0"}) == 1


def test_clusters_are_counted_by_their_state_in_the_rollout() -> None:
    """
    The states of the ledger's table, each one of them also at zero.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_plan(a_plan(a_group()), a_history())

    seen = {state: value(metrics, "wavefleet_clusters", {"group": "prod", "state": state}) for state in ClusterState}

    assert dict.fromkeys(ClusterState, 0.0) | {"converged": 1.0, "started": 1.0, "pending": 2.0} == seen
    assert value(metrics, "wavefleet_group_clusters", {"group": "prod"}) == 4
    assert value(metrics, "wavefleet_group_clusters_done", {"group": "prod"}) == 1
    assert value(metrics, "wavefleet_group_clusters_in_flight", {"group": "prod"}) == 1
    assert value(metrics, "wavefleet_group_state", {"group": "prod", "state": "pending"}) == 1
    assert value(metrics, "wavefleet_group_state", {"group": "prod", "state": "success"}) == 0


def test_a_group_without_a_rollout_has_no_cluster_in_any_state() -> None:
    """
    Zero, and not absent.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_plan(a_plan(a_group(rollout=None)), a_history())

    assert value(metrics, "wavefleet_clusters", {"group": "prod", "state": "pending"}) == 0


def test_holds_are_counted_over_fleet_and_groups() -> None:
    """
    A hold of the fleet and one of a group count under their reasons.
    """
    metrics = Metrics("0.1.0")
    stale = Hold(HoldReason.REVISION_STALE, "not confirmed for 12m")
    soaking = Hold(HoldReason.SOAKING, "3h of 4h")
    metrics.observe_plan(a_plan(a_group(holds=(soaking,)), a_group("dev", holds=(soaking,)), holds=(stale,)), History())

    assert value(metrics, "wavefleet_holds", {"reason": "Soaking"}) == 2
    assert value(metrics, "wavefleet_holds", {"reason": "RevisionStale"}) == 1


def test_stops_count_until_a_person_has_acknowledged_them() -> None:
    """
    Halts of groups and of the fleet count while they wait; one that was resumed does not.
    """
    metrics = Metrics("0.1.0")
    history = a_history(a_stop(), a_stop(number=2), a_stop(number=3, acknowledged=True), a_stop("fleet"))
    metrics.observe_plan(a_plan(a_group()), history)

    assert value(metrics, "wavefleet_stops", {"group": "prod", "kind": "halt"}) == 2
    assert value(metrics, "wavefleet_stops", {"group": "fleet", "kind": "halt"}) == 1
    assert value(metrics, "wavefleet_stops", {"group": "prod", "kind": "quarantine"}) == 0


def test_a_plan_replaces_the_one_before() -> None:
    """
    A group that is gone leaves no series behind, and its holds are over.
    """
    metrics = Metrics("0.1.0")
    hold = Hold(HoldReason.FROZEN, "peak trade")
    metrics.observe_plan(a_plan(a_group("old", holds=(hold,)), unclaimed=("sim/x",)), History())
    assert value(metrics, "wavefleet_clusters_unclaimed") == 1

    metrics.observe_plan(a_plan(a_group("new")), History())

    assert value(metrics, "wavefleet_group_clusters", {"group": "old"}) is None
    assert value(metrics, "wavefleet_group_clusters", {"group": "new"}) == 4
    assert value(metrics, "wavefleet_holds", {"reason": "Frozen"}) == 0
    assert value(metrics, "wavefleet_clusters_unclaimed") == 0


def test_how_the_branch_stands_is_dated_and_judged() -> None:
    """
    When the head was confirmed, and whether it is valid.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_standing(Standing("abc", "abc", NOON))
    assert value(metrics, "wavefleet_revision_valid") == 1

    problem = Problem("fleet.yaml", 1, "kind", "nothing", "Fleet")
    metrics.observe_standing(Standing("def", "abc", NOON, problems=(problem,)))

    metrics.observe_standing(Standing("def", "abc", None, problems=(problem,)))

    assert value(metrics, "wavefleet_revision_valid") == 0
    assert NOON.timestamp() == value(metrics, "wavefleet_revision_confirmed_timestamp_seconds")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RepositoryError("no route"), "failed"),
        (ApplyRefused("403"), "refused"),
        (ReportRefused("channel_not_found"), "refused"),
        (ReportDelayed("429"), "delayed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_call_that_raises_is_counted_and_its_error_goes_on(error: Exception, outcome: str) -> None:
    """
    Counting never hides an error; a no and a not-now are told apart from a failure.
    """
    metrics = Metrics("0.1.0")

    with pytest.raises(type(error)), metrics.call("git"):
        raise error

    assert value(metrics, "wavefleet_calls_total", {"system": "git", "outcome": outcome}) == 1
    assert value(metrics, "wavefleet_calls_total", {"system": "git", "outcome": "ok"}) == 0
    assert value(metrics, "wavefleet_call_duration_seconds_count", {"system": "git"}) == 1


def test_a_name_that_nobody_listed_is_counted_under_other() -> None:
    """
    A count never stops what it counts, and never opens a label without bound.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_call("pigeon", "lost", 1)
    metrics.observe_outbox({"pigeon": 2})
    metrics.observe_cycle(CycleEnd("odd", timedelta(0), NOON))

    assert value(metrics, "wavefleet_calls_total", {"system": "other", "outcome": "failed"}) == 1
    assert value(metrics, "wavefleet_outbox_messages", {"channel": "other"}) == 2
    assert value(metrics, "wavefleet_cycles_total", {"result": "failed"}) == 1


def test_the_cycle_can_tell_these_metrics() -> None:
    """
    What the cycle asks of metrics is what these are.
    """
    asked = [name for name in vars(MetricsPort) if name.startswith("observe_")]
    metrics = Metrics("0.1.0")

    assert asked
    assert [] == [name for name in asked if signature(getattr(MetricsPort, name)) != signature(getattr(Metrics, name))]
    metrics.observe_lease(held=True)
    assert 1 == value(metrics, "wavefleet_leader")


def test_a_call_that_returns_is_ok_however_it_is_told() -> None:
    """
    The context manager, ``ok`` and a courier's ``delivered`` are one outcome.
    """
    metrics = Metrics("0.1.0")
    with metrics.call("slack"):
        pass
    metrics.observe_call("slack", "ok", 0.2)
    metrics.observe_call("slack", "delivered", 0.3)

    assert value(metrics, "wavefleet_calls_total", {"system": "slack", "outcome": "ok"}) == 3
    assert value(metrics, "wavefleet_call_duration_seconds_count", {"system": "slack"}) == 3


def test_the_outbox_forgets_channels_that_have_nothing_left() -> None:
    """
    A channel that is not named has nothing waiting.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_outbox({"slack": 7})
    assert value(metrics, "wavefleet_outbox_messages", {"channel": "slack"}) == 7

    metrics.observe_outbox({"notes": 1})

    assert value(metrics, "wavefleet_outbox_messages", {"channel": "slack"}) == 0
    assert value(metrics, "wavefleet_outbox_messages", {"channel": "notes"}) == 1


def test_the_lease_is_held_or_not() -> None:
    """
    Two controllers on one ledger: the sum of this metric should be one.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_lease(held=True)
    assert value(metrics, "wavefleet_leader") == 1

    metrics.observe_lease(held=False)

    assert value(metrics, "wavefleet_leader") == 0


def test_nothing_but_ours_is_told() -> None:
    """
    No series of other libraries, and no ``_created`` ones; two registries in one process do not meet.
    """
    other = Metrics("0.1.0")
    other.observe_lease(held=True)
    metrics = Metrics("0.1.0")

    names = {
        sample.name for family in text_string_to_metric_families(metrics.render().decode()) for sample in family.samples
    }

    assert all(name.startswith("wavefleet_") for name in names)
    assert not [name for name in names if name.endswith("_created")]
    assert value(metrics, "wavefleet_leader") == 0


@pytest.mark.parametrize("name", ['prod\n"eu"', "prod\\eu"])
def test_a_label_cannot_break_the_format(name: str) -> None:
    """
    Whatever a group is called, a scrape reads one series of that name.
    """
    metrics = Metrics("0.1.0")
    metrics.observe_plan(a_plan(a_group(name)), History())

    assert value(metrics, "wavefleet_group_clusters", {"group": name}) == 4
