"""Likely dates and blast radius, by sums that a person can do beside them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.core.plan import plan_cycle
from controller.model.declaration import ClusterGroup, Expedite
from controller.model.observation import Observation, ObservedCluster
from controller.model.snapshot import Snapshot
from controller.simulate.forecast import Forecast, forecasts_of
from controller.versions import KafkaVersion
from tests.builders import DAY, HOUR, MINUTE, NEW, NOON, OLD, a_reading, place, release
from tests.builders_core import (
    a_declaration,
    a_freeze,
    a_group,
    a_standing,
    a_strategy,
    a_wave,
    a_window,
    an_approval,
)

TAKES = 32 * MINUTE
"""The expected half hour, and two more samples a minute apart."""


def two_waves(*, approval: bool = False) -> dict[str, object]:
    """One cluster, an hour of soak, then the rest, two at a time."""
    rest = replace(a_wave("rest", "rest", HOUR, most=2), approval_required=approval)
    return {"samples": 3, "strategy": a_strategy(waves=(a_wave("canary", "1", HOUR), rest))}


def looked_at(*groups: ClusterGroup, size: int = 5, runs: str = OLD, **parts: object) -> dict[str, Forecast]:
    """The forecasts of groups with ``size`` clusters each."""
    clusters = {
        f"sim/{group.name}-{number}": ObservedCluster(
            f"sim/{group.name}-{number}", {"group": group.name}, a_reading(runs)
        )
        for group in groups
        for number in range(size)
    }
    snapshot = Snapshot(NOON, a_standing(), a_declaration(*groups, **parts), Observation(clusters))  # type: ignore[arg-type]
    return dict(forecasts_of(snapshot, plan_cycle(snapshot)))


def times(forecast: Forecast) -> list[datetime | None]:
    """When each wave starts, and the last has soaked."""
    return [*(wave.starts_at for wave in forecast.waves), forecast.ends_at]


def test_waves_follow_one_another_by_upgrades_and_soaks() -> None:
    """
    The canary takes half an hour and its samples, and soaks; four more go two at a time.
    """
    prod = looked_at(a_group(**two_waves()))["prod"]
    second = NOON + TAKES + HOUR

    assert [NOON, second, second + 2 * TAKES + HOUR] == times(prod)
    assert "" == prod.waits_for


def test_the_blast_radius_counts_what_starts_before_a_fault_is_seen() -> None:
    """
    A fault an hour after the canary's upgrade is seen as its soak ends, before the next wave starts.
    """
    prod = looked_at(a_group(**two_waves()))["prod"]

    assert {"10m": 1, "1h": 1, "1d": 5, "1w": 5} == prod.blast_radius


def test_a_group_begins_when_those_it_waits_for_have_ended() -> None:
    """
    One after the other, in whatever order they are named.
    """
    found = looked_at(a_group("a", after=("b",), **two_waves()), a_group("b", **two_waves()))

    assert found["b"].ends_at is not None
    assert found["b"].ends_at == found["a"].waves[0].starts_at


def test_windows_and_freezes_are_waited_for() -> None:
    """
    The canary goes in today's window, the rest when the freeze is over, each where it fits in.
    """
    window = a_window("12:00", "13:00")
    freeze = a_freeze(groups=("prod",), from_=NOON + HOUR, until=NOON + 2 * DAY)
    prod = looked_at(a_group(windows=(window,), **two_waves()), freezes=(freeze,))["prod"]

    # Two at a time: the second pair does not fit behind the first in the window of an hour.
    assert [NOON, NOON + 2 * DAY, NOON + 3 * DAY + TAKES + HOUR] == times(prod)


def test_what_is_expedited_does_not_wait_for_windows() -> None:
    """
    Where the expedite says so.
    """
    urgent = Expedite(release(NEW), ("prod",), "CVE", "ana", NOON + DAY, place(), ignore_windows=True)
    group = a_group(windows=(a_window("20:00", "21:00"),), **two_waves())

    assert NOON == looked_at(group, expedite=(urgent,))["prod"].waves[0].starts_at
    assert NOON + 8 * HOUR == looked_at(group)["prod"].waves[0].starts_at


def test_an_approval_that_is_not_given_ends_the_forecast() -> None:
    """
    What a person must do is said, and no date is made up.
    """
    asked = looked_at(a_group(**two_waves(approval=True)))["prod"]
    given = looked_at(a_group(approvals=(an_approval(wave="rest"),), **two_waves(approval=True)))["prod"]

    assert "somebody approves wave rest" == asked.waits_for
    assert [NOON, None, None] == times(asked)
    assert given.ends_at is not None


@pytest.mark.parametrize(("parts", "expected"), [({"halted": True}, "GroupHalted is lifted")])
def test_what_only_a_person_lifts_ends_the_forecast(parts: dict[str, object], expected: str) -> None:
    """
    Nothing is likely before it is lifted.
    """
    prod = looked_at(a_group(**parts, **two_waves()))["prod"]  # type: ignore[arg-type]

    assert (expected, None) == (prod.waits_for, prod.ends_at)
    assert {} == prod.blast_radius


def test_a_group_behind_one_that_does_not_end_waits_for_it() -> None:
    """
    It says for whom.
    """
    found = looked_at(a_group("a", after=("b",), **two_waves()), a_group("b", halted=True, **two_waves()))

    assert ("b ends", None) == (found["a"].waits_for, found["a"].ends_at)


def test_a_window_that_is_always_too_short_has_no_date() -> None:
    """
    Half an hour does not fit into twenty minutes, ever.
    """
    prod = looked_at(a_group(windows=(a_window("12:00", "12:20"),), **two_waves()))["prod"]

    assert [None, None, None] == times(prod)


def test_a_group_on_target_has_nothing_to_forecast() -> None:
    """
    And keeps nobody waiting.
    """
    found = looked_at(a_group(**two_waves()), runs=NEW)

    assert Forecast((), None, "", {}) == found["prod"]


def test_the_targets_of_this_file_are_what_they_seem() -> None:
    """
    The sums above stand on these.
    """
    assert KafkaVersion.parse(OLD) < KafkaVersion.parse(NEW)
    assert timedelta(minutes=32) == TAKES
