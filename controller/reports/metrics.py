"""What Prometheus is told: how cycles go, where the clusters stand, what holds them, how outside systems answer.

A registry of our own, so that nothing of other libraries stands in it. Names follow Prometheus's rules: one prefix,
base units, *when* instead of "time since", and for each count of failures the count of attempts beside it. Labels
are bounded: groups are those declared now, everything else comes from the tuples below, and each label set exists
from the start, since a series that is absent looks like zero to nobody. No revision, cluster or message is a label.
``docs/metrics.md`` is tested against this module. It only counts what it is told; it judges nothing.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.errors import ApplyRefused, ReportDelayed, ReportRefused
from controller.history.records import ClusterState, History, StopKind
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.requests import FLEET
from controller.model.snapshot import Standing
from controller.model.verdict import Hold, HoldReason
from controller.model.view import GroupView
from controller.ports import CycleEnd

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CYCLE_RESULTS = ("ok", "failed", "standby")
"""``standby``: another controller holds the ledger's lease, so that this one only waited."""
CHANNELS = ("notes", "gitea", "github", "slack", "terminal", "log")
OTHER = "other"
"""What a name that is not listed is counted under: a count must never stop what it counts."""
SYSTEMS = ("git", "source", "brokers", "ledger", "prometheus", "webhook", *CHANNELS, OTHER)
"""The outside systems: the repository, sources of clusters, their brokers, the ledger, external gates, and channels."""
CALL_OUTCOMES = ("ok", "refused", "delayed", "failed")
"""``refused``: the other side answered, and its answer was no; ``delayed``: a channel is down or limits us."""
DELIVERED = "delivered"
"""What those who carry messages call a call that went well; counted as ``ok``, so that one query serves all systems."""

_SECONDS_OF_CYCLES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800)
_SECONDS_OF_CALLS = (0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30, 60, 180)


class Metrics:
    """All metrics of one process; safe to be told and asked by many threads."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._cycles = self._counter("wavefleet_cycles", "Cycles by how they ended.", ("result",))
        self._cycle_seconds = Histogram(
            "wavefleet_cycle_duration_seconds",
            "How long cycles took.",
            buckets=_SECONDS_OF_CYCLES,
            registry=self._registry,
        )
        self._cycle_started = self._gauge("wavefleet_cycle_last_start_timestamp_seconds", "When the last cycle began.")
        self._cycle_ended = self._gauge("wavefleet_cycle_last_end_timestamp_seconds", "When the last cycle ended.")
        self._cycle_went_well = self._gauge(
            "wavefleet_cycle_last_success_timestamp_seconds", "When the last cycle that went well ended."
        )
        self._confirmed = self._gauge(
            "wavefleet_revision_confirmed_timestamp_seconds", "When the branch's head was last confirmed."
        )
        self._valid = self._gauge("wavefleet_revision_valid", "1 while the branch's head is valid, else 0.")
        self._leader = self._gauge("wavefleet_leader", "1 while this process holds the ledger's lease, else 0.")
        self._calls = self._counter(
            "wavefleet_calls", "Calls to outside systems by how they ended.", ("system", "outcome")
        )
        self._call_seconds = Histogram(
            "wavefleet_call_duration_seconds",
            "How long calls to outside systems took.",
            ("system",),
            buckets=_SECONDS_OF_CALLS,
            registry=self._registry,
        )
        self._outbox = self._gauge("wavefleet_outbox_messages", "Messages that wait for a channel.", ("channel",))
        self._gauge("wavefleet_build_info", "1, with the version as a label.", ("version",)).labels(version).set(1)
        self._plan = _PlanFamilies()
        self._registry.register(self._plan)
        self._initialise()

    def observe_cycle_start(self, at: datetime) -> None:
        """Tell that a cycle began; one that never ends shows as a start without an end."""
        self._cycle_started.set(at.timestamp())

    def observe_cycle(self, end: CycleEnd) -> None:
        """Tell that a cycle ended."""
        self._cycles.labels(end.result if end.result in CYCLE_RESULTS else "failed").inc()
        self._cycle_seconds.observe(end.duration.total_seconds())
        self._cycle_ended.set(end.ended_at.timestamp())
        if end.result == "ok":
            self._cycle_went_well.set(end.ended_at.timestamp())

    def observe_standing(self, standing: Standing) -> None:
        """Tell how the declaration in force stands to its branch."""
        if standing.confirmed_at is not None:
            self._confirmed.set(standing.confirmed_at.timestamp())
        self._valid.set(0 if standing.problems else 1)

    def observe_plan(self, plan: Plan, history: History) -> None:
        """Tell where groups and clusters stand; what was told before is replaced as a whole."""
        self._plan.shown = (plan, history)

    def observe_call(self, system: str, outcome: str, seconds: float) -> None:
        """Tell that a call to an outside system ended."""
        outcome = "ok" if outcome == DELIVERED else outcome
        system = system if system in SYSTEMS else OTHER
        outcome = outcome if outcome in CALL_OUTCOMES else "failed"
        self._calls.labels(system, outcome).inc()
        self._call_seconds.labels(system).observe(seconds)

    @contextmanager
    def call(self, system: str) -> Iterator[None]:
        """Tell of the call that the body makes; its error goes on."""
        began = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = "ok"
        except (ApplyRefused, ReportRefused):
            outcome = "refused"
            raise
        except ReportDelayed:
            outcome = "delayed"
            raise
        finally:
            self.observe_call(system, outcome, time.monotonic() - began)

    def observe_lease(self, *, held: bool) -> None:
        """Tell whether this process holds the ledger's lease."""
        self._leader.set(1 if held else 0)

    def observe_outbox(self, waiting: Mapping[str, int]) -> None:
        """Tell how many messages wait, by channel; a channel that is left out has none."""
        others = sum(count for channel, count in waiting.items() if channel not in CHANNELS)
        for channel in CHANNELS:
            self._outbox.labels(channel).set(waiting.get(channel, 0))
        self._outbox.labels(OTHER).set(others)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format, ``CONTENT_TYPE``."""
        return generate_latest(_WithoutCreated(self._registry))

    def _counter(self, name: str, documentation: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, documentation, labels, registry=self._registry)

    def _gauge(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, documentation, labels, registry=self._registry)

    def _initialise(self) -> None:
        for result in CYCLE_RESULTS:
            self._cycles.labels(result)
        for system in SYSTEMS:
            self._call_seconds.labels(system)
            for outcome in CALL_OUTCOMES:
                self._calls.labels(system, outcome)
        self.observe_outbox({})


class _WithoutCreated(Collector):
    """The registry without its ``_created`` series, which nobody asked for and which change at each restart.

    The client's own switch for them is global, and would change other registries of the process too.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _PlanFamilies(Collector):
    """What the last plan showed, swapped in one step, so that no scrape sees half of two plans or a group long gone.

    Counted when Prometheus asks, which is seldom, and not in each cycle.
    """

    def __init__(self) -> None:
        self.shown: tuple[Plan, History] | None = None

    def collect(self) -> Iterable[Metric]:
        plan, history = self.shown or (None, History())
        groups = () if plan is None else plan.groups
        fleet = () if plan is None else plan.holds
        holds = (*fleet, *(hold for group in groups for hold in group.holds))
        yield from _group_families(groups, history)
        yield _hold_family(holds)
        yield _stop_family(groups, history)
        yield _unclaimed_family(0 if plan is None else len(plan.unclaimed))


def _group_families(groups: Sequence[GroupView], history: History) -> tuple[Metric, ...]:
    of = GaugeMetricFamily("wavefleet_group_clusters", "Live clusters of the group.", labels=("group",))
    done = GaugeMetricFamily(
        "wavefleet_group_clusters_done", "Those of them that run the group's target.", labels=("group",)
    )
    in_flight = GaugeMetricFamily("wavefleet_group_clusters_in_flight", "Those in flight.", labels=("group",))
    state = GaugeMetricFamily(
        "wavefleet_group_state", "1 for the state of the group's commit status, else 0.", labels=("group", "state")
    )
    clusters = GaugeMetricFamily(
        "wavefleet_clusters", "Clusters of the group's rollout, by their state in it.", labels=("group", "state")
    )
    for group in groups:
        of.add_metric((group.context,), group.of)
        done.add_metric((group.context,), group.done)
        in_flight.add_metric((group.context,), group.in_flight)
        for status_state in StatusState:
            state.add_metric((group.context, status_state), status_state is group.state)
        tally = _states(group, history)
        for cluster_state in ClusterState:
            clusters.add_metric((group.context, cluster_state), tally[cluster_state])
    return of, done, in_flight, state, clusters


def _states(group: GroupView, history: History) -> Tally[ClusterState]:
    rollout = None if group.rollout is None else history.rollouts.get(group.rollout)
    return Tally() if rollout is None else Tally(record.state for record in rollout.clusters.values())


def _hold_family(holds: Sequence[Hold]) -> Metric:
    family = GaugeMetricFamily("wavefleet_holds", "Holds of the last plan, by reason.", labels=("reason",))
    tally = Tally(hold.reason for hold in holds)
    for reason in HoldReason:
        family.add_metric((reason,), tally[reason])
    return family


def _stop_family(groups: Sequence[GroupView], history: History) -> Metric:
    family = GaugeMetricFamily(
        "wavefleet_stops", "Numbered stops that wait for a person, by group and kind.", labels=("group", "kind")
    )
    tally = Tally((stop.scope, stop.kind) for stop in history.stops.values() if stop.acknowledged_at is None)
    for scope in (FLEET, *dict.fromkeys(group.name for group in groups)):
        for kind in StopKind:
            family.add_metric((scope, kind), tally[scope, kind])
    return family


def _unclaimed_family(count: int) -> Metric:
    return GaugeMetricFamily("wavefleet_clusters_unclaimed", "Live clusters that no group claims.", value=count)
