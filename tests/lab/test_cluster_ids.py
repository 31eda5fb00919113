"""Kafka's cluster ids, as the lab draws them."""

from controller.lab.up import draw_cluster_id


def test_no_cluster_id_looks_like_an_option() -> None:
    """
    Kafka's tools take an id that begins with a dash for an option; one in 64 would.
    """
    drawn = [draw_cluster_id() for _ in range(2000)]

    assert {22} == {len(each) for each in drawn}
    assert [] == [each for each in drawn if each.startswith("-")]
