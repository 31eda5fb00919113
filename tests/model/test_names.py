"""Cluster names: full for memory, short for people."""

from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import last_part, short_names, source_of

FULL = st.from_regex(r"\A[ab](/[ab])?/[cd]-[1-3]\Z")


def test_the_parts_of_a_full_name() -> None:
    """
    Its source comes first, its own name last; a namespace may stand between.
    """
    assert ("eu", "orders-1") == (source_of("eu/kafka/orders-1"), last_part("eu/kafka/orders-1"))
    assert ("sim", "a-1") == (source_of("sim/a-1"), last_part("sim/a-1"))


def test_a_short_name_is_used_only_where_it_means_one_cluster() -> None:
    """
    Two of one name are both written in full; the others stay short.
    """
    assert {"a/x": "a/x", "b/x": "b/x", "b/y": "y"} == short_names(["a/x", "b/x", "b/y"])
    assert {"a/x": "x", "b/y": "y"} == short_names(["a/x", "b/y"])
    assert {} == short_names([])


@given(st.sets(FULL))
def test_no_two_clusters_are_called_the_same(names: set[str]) -> None:
    """
    Safety: what people read always means one cluster.
    """
    short = short_names(names)

    assert names == set(short)
    assert len(names) == len(set(short.values()))
