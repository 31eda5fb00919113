"""What findings are worth, and who fell behind: the judgement and the checkers, written apart, must always agree."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.core.health import fallen_behind, graded
from controller.history.records import ClusterRecord
from controller.model.health import CHECKS, Health
from controller.model.membership import Membership
from controller.model.observation import Endpoints, Finding, ObservedCluster, Severity
from tests.builders import a_reading
from tests.builders_core import a_group
from tests.simulation.grades import as_worth, behind, rules_for

NAME = "eu/p-1"
CONSUMERS = ("billing", "audit", "orders")

severities = st.sampled_from((*Severity, None))
shares = st.sampled_from((0.0, 0.5, 0.8, 0.85, 0.9, 1.0))
records = st.integers(0, 5)
lags = st.dictionaries(st.sampled_from(CONSUMERS), records)
healths = st.builds(
    Health,
    asks_brokers=st.booleans(),
    severities=st.dictionaries(st.sampled_from(sorted(CHECKS)), severities),
    disk_warn=shares,
    disk_block=shares,
    consumer_groups=st.sets(st.sampled_from(CONSUMERS)).map(lambda names: tuple(sorted(names))),
    lag_above=records,
)
levels = {"disk_usage": shares, "consumer_lag": records}
findings = st.sampled_from(sorted(CHECKS)).flatmap(
    lambda check: st.builds(
        Finding, st.just(check), st.just(CHECKS[check]), st.just(check), level=st.none() | levels.get(check, st.none())
    )
)
brokers = st.none() | st.sets(st.integers(1, 3)).map(frozenset)


@given(health=healths, found=st.lists(findings, max_size=6), expected=brokers, full=st.booleans(), asked=st.booleans())
def test_findings_are_worth_what_their_group_says(
    health: Health, found: list[Finding], expected: frozenset[int] | None, *, full: bool, asked: bool
) -> None:
    """
    Safety: whatever a group writes of its checks, each finding does that and nothing else; unasked, nothing is full.
    """
    reading = replace(a_reading(full=full, by_brokers=asked), findings=tuple(found))
    cluster = ObservedCluster(NAME, {"group": "prod"}, reading, Endpoints(expected=expected))
    group = a_group("prod", health=health)
    membership = Membership({"prod": (NAME,)}, {NAME: "prod"}, {}, {}, (), frozenset(), {}, {})

    judged = graded({NAME: cluster}, membership, {"prod": group})[NAME].reading

    seen_in_full = full and (asked or not health.asks_brokers)
    assert replace(as_worth(cluster, reading, rules_for(cluster, (group,))), full=seen_in_full) == judged


@given(health=healths, before=lags, now=lags, asked=st.booleans())
def test_who_fell_behind_is_listed_and_further_behind_than_anybody_minds(
    health: Health, before: dict[str, int], now: dict[str, int], *, asked: bool
) -> None:
    """
    Safety: a soak is held exactly where the checkers say that a listed group grew beyond both bounds, or is not told.
    """
    reading = a_reading(lag=now, by_brokers=asked)

    said = fallen_behind(reading, ClusterRecord(lag=before), health)

    named = behind(health, before, reading)
    assert bool(named) == bool(said)
    assert not named or f"consumer group {named[0]} " in said
    assert not named or (named[0] in now) is ("cannot be read now" not in said)
