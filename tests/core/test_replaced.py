"""A name is not the cluster: Kafka's own id tells whether another one has it now."""

from controller.history.entries import ClusterReplaced
from tests.builders import MINUTE, a_reading
from tests.builders_core import a_group, a_strategy, a_wave
from tests.core.plays import Play, only

ONE_WAVE = a_strategy(waves=(a_wave("all", "rest", MINUTE),))


def test_another_cluster_of_the_same_name_begins_anew() -> None:
    """
    Safety: Kafka's own id tells them apart. What the old one proved is forgotten, and the new one goes to the tail.
    """
    play = Play(a_group(strategy=ONE_WAVE)).live("p-1", "p-2")
    play.show("p-1", a_reading(kafka_id="first")).show("p-2", a_reading(kafka_id="second"))
    play.cycle()
    play.show("p-1", a_reading(kafka_id="third"))
    plan = play.cycle()

    assert [ClusterReplaced("sim/p-1", "third")] == only(ClusterReplaced, plan.entries)
    assert [("sim/p-1", True)] == [
        (name, record.tail) for name, record in play.rollout().clusters.items() if record.tail
    ]
    assert "sim/p-1" not in play.history.ids


def test_the_same_cluster_seen_without_its_id_stays_itself() -> None:
    """
    An id that cannot be read proves nothing.
    """
    play = Play(a_group(strategy=ONE_WAVE)).live("p-1").show("p-1", a_reading(kafka_id="first"))
    play.cycle()
    play.show("p-1", a_reading())

    assert [] == only(ClusterReplaced, play.cycle().entries)
    assert "first" == play.history.ids["sim/p-1"]
