"""Who is taken for which broker: what real brokers are not brought to say; they are in ``tests/system``."""

import pytest

from controller.brokers.access import Reach
from controller.brokers.deadline import Deadline
from controller.errors import ObservationError
from controller.fleets.kafka_answers import Answers
from controller.fleets.kafka_look import look
from tests.brokers.speaking import Told, speaking

IN_TIME = 20


def silent(answers: Answers) -> dict[int, str]:
    """Why each broker is taken for silent; empty for one that answered."""
    assert all((it.line is None) == bool(it.silent) for it in answers.brokers)
    return {it.id: it.silent for it in answers.brokers}


def test_brokers_of_one_cluster_all_answer() -> None:
    """
    Each by itself, at an address of its own.
    """
    first, second = Told(), Told()
    with speaking(first) as one, speaking(second) as two:
        first.brokers = second.brokers = {1: one, 2: two}

        answers = look(Reach((one,)), (), Deadline.within(IN_TIME))

    assert {1: "", 2: ""} == silent(answers)


def test_a_broker_of_another_cluster_is_not_taken_for_one_of_ours() -> None:
    """
    Safety: an address that was given away is not there, however well whoever has it now is.
    """
    ours, theirs = Told("ours"), Told("theirs")
    with speaking(ours) as one, speaking(theirs) as two:
        ours.brokers, theirs.brokers = {1: one, 2: two}, {1: two}

        answers = look(Reach((one,)), (), Deadline.within(IN_TIME))

    assert {1: "", 2: "the cluster theirs answers there"} == silent(answers)


def test_brokers_that_are_advertised_at_one_address_are_nobody() -> None:
    """
    Safety: whoever answers there, it is one of them at most; that cluster's other brokers are there as ever.
    """
    first, second = Told(), Told()
    with speaking(first) as one, speaking(second) as two:
        first.brokers = second.brokers = {1: one, 2: two, 3: two}

        answers = look(Reach((one,)), (), Deadline.within(IN_TIME))

    shared = {2: "is advertised at the address of broker 3", 3: "is advertised at the address of broker 2"}
    assert {1: "", **shared} == silent(answers)


def test_a_cluster_whose_brokers_all_share_one_address_is_unknown() -> None:
    """
    Also where we came in by it: nobody knows whom we speak with.
    """
    told = Told()
    with speaking(told) as one:
        told.brokers = {1: one, 2: one}

        with pytest.raises(ObservationError) as caught:
            look(Reach((one,)), (), Deadline.within(IN_TIME))

    assert str(caught.value).startswith(
        f"no broker answers where it is advertised: broker 1 ({one}): is advertised at the address of broker 2;"
    )
