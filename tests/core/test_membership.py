"""Whose a cluster is: exactly one group's, nobody's, or claimed twice and held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.membership import assign
from controller.model.declaration import Selector
from controller.model.observation import ObservedCluster, Unknown
from tests.builders import a_cluster, a_reading, by_name
from tests.builders_core import a_group

EU = a_cluster("sim/a-1", labels={"env": "prod", "region": "eu"})
US = a_cluster("sim/a-2", labels={"env": "prod", "region": "us"})
DEV = a_cluster("sim/a-3", labels={"env": "dev"})
TWIN = a_cluster("lab/a-1", labels={"env": "lab"})


def test_labels_select_what_has_all_of_them() -> None:
    """
    Every label must match; more labels on a cluster do not matter.
    """
    groups = [
        a_group("eu", selector=Selector(match_labels={"env": "prod", "region": "eu"})),
        a_group("dev", selector=Selector(match_labels={"env": "dev"})),
        a_group("none", selector=Selector(match_labels={"env": "prod", "region": "mars"})),
    ]

    membership = assign(groups, by_name([EU, US, DEV]), {})

    assert {"eu": ("sim/a-1",), "dev": ("sim/a-3",)} == membership.groups
    assert {"sim/a-1": "eu", "sim/a-3": "dev"} == membership.owner
    assert ("sim/a-2",) == membership.unclaimed


def test_a_label_without_its_value_selects_nobody() -> None:
    """
    A label of another value is another label.
    """
    membership = assign([a_group("x", selector=Selector(match_labels={"env": "pro"}))], by_name([EU]), {})

    assert {} == membership.groups
    assert ("sim/a-1",) == membership.unclaimed


@pytest.mark.parametrize("name", ["a-2", "sim/a-2"])
def test_a_name_may_be_short_or_full(name: str) -> None:
    """
    Both mean the same cluster where the short one is unambiguous.
    """
    membership = assign([a_group("x", selector=Selector(names=(name,)))], by_name([EU, US]), {})

    assert {"x": ("sim/a-2",)} == membership.groups
    assert {} == membership.missing


def test_a_short_name_of_two_clusters_is_missing_and_its_full_one_is_not() -> None:
    """
    Ambiguity claims nobody: the wrong one of two would be worse than none.
    """
    short = a_group("x", selector=Selector(names=("a-1", "a-2")))
    full = a_group("y", selector=Selector(names=("lab/a-1",)))

    membership = assign([short, full], by_name([EU, US, TWIN]), {})

    assert {"x": ("a-1",)} == membership.missing
    assert {"x": ("sim/a-2",), "y": ("lab/a-1",)} == membership.groups
    assert ("sim/a-1",) == membership.unclaimed


def test_people_read_short_names_where_they_are_unambiguous() -> None:
    """
    Where two clusters share one, both are written in full.
    """
    membership = assign([], by_name([EU, US, TWIN]), {})

    assert {"sim/a-1": "sim/a-1", "lab/a-1": "lab/a-1", "sim/a-2": "a-2"} == membership.short


def test_a_cluster_that_two_groups_claim_belongs_to_neither() -> None:
    """
    By name and by label alike; both groups are told, in their order.
    """
    groups = [a_group("dev", selector=Selector(match_labels={"env": "dev"})), a_group("x", selector=Selector(("a-3",)))]

    membership = assign(groups, by_name([DEV]), {})

    assert {"sim/a-3": ("dev", "x")} == membership.claimed_twice
    assert ({}, {}, ()) == (membership.groups, membership.owner, membership.unclaimed)


def test_a_group_that_names_a_cluster_twice_claims_it_once() -> None:
    """
    Short and full name of one cluster in one group are no two claims.
    """
    membership = assign([a_group("x", selector=Selector(names=("a-2", "sim/a-2")))], by_name([US]), {})

    assert {"x": ("sim/a-2",)} == membership.groups
    assert {} == membership.claimed_twice


def test_one_kafka_cluster_seen_twice_is_known_while_its_twin_is_out_of_sight() -> None:
    """
    Where a source tells Kafka's cluster id, two that show the same are one; what was seen last counts for the unknown.
    """
    one = a_cluster("sim/a-1", a_reading(kafka_id="kTx1"))
    other = a_cluster("lab/b-1", a_reading(kafka_id="kTx1"))
    dark = a_cluster("lab/b-1", Unknown("no broker answers"))

    seen = assign([], by_name([one, other, US]), {})
    later = assign([], by_name([one, dark, US]), seen.ids)

    assert {"sim/a-1", "lab/b-1"} == seen.seen_twice == later.seen_twice
    assert {"sim/a-1": "kTx1", "lab/b-1": "kTx1"} == later.ids
    assert frozenset() == assign([], by_name([one, dark]), {}).seen_twice


def test_a_cluster_that_tells_no_id_is_not_taken_for_the_one_seen_before() -> None:
    """
    What can be read counts as it is read; nothing is remembered over it.
    """
    membership = assign([], by_name([a_cluster("sim/a-1", a_reading(kafka_id=None))]), {"sim/a-1": "kTx1"})

    assert {} == membership.ids


def test_a_fleet_of_nobody_is_no_trouble() -> None:
    """
    Without clusters every declared name is missing, and there is nothing else to tell.
    """
    membership = assign([a_group("x", selector=Selector(names=("a-1",))), a_group("y")], {}, {})

    assert {"x": ("a-1",)} == membership.missing
    assert ({}, (), frozenset()) == (membership.groups, membership.unclaimed, membership.seen_twice)


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), min_size=1)


@given(
    st.dictionaries(st.from_regex(r"\A[st]/[cd]-[1-4]\Z"), LABELS, max_size=10),
    st.lists(LABELS | st.sets(st.sampled_from(["c-1", "d-2", "s/c-1", "s/d-3"]), min_size=1), max_size=4),
)
def test_every_cluster_is_claimed_by_whom_a_slow_reading_says(
    labels: dict[str, dict[str, str]], selectors: list[dict[str, str] | set[str]]
) -> None:
    """
    Safety: asking each group about each cluster, one by one, gives the same owners; nobody is lost.
    """
    clusters = {name: ObservedCluster(name, each, a_reading()) for name, each in labels.items()}
    groups = [
        a_group(f"g{number}", selector=Selector(match_labels=each) if isinstance(each, dict) else Selector(tuple(each)))
        for number, each in enumerate(selectors)
    ]

    membership = assign(groups, clusters, {})

    for name, cluster in clusters.items():
        claims = tuple(group.name for group in groups if claims_slowly(group.selector, cluster, clusters))
        owner = claims[0] if len(claims) == 1 else None
        assert owner == membership.owner.get(name)
        assert (len(claims) > 1) == (name in membership.claimed_twice)
        assert (not claims) == (name in membership.unclaimed)


def claims_slowly(selector: Selector, cluster: ObservedCluster, clusters: dict[str, ObservedCluster]) -> bool:
    """Tell whether a selector claims a cluster, by looking at all of them."""
    if not selector.names:
        return all(cluster.labels.get(key) == value for key, value in selector.match_labels.items())
    own = cluster.name.split("/")[-1]
    alone = sum(other.split("/")[-1] == own for other in clusters) == 1
    return cluster.name in selector.names or (alone and own in selector.names)
