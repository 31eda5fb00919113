"""Small rules of declared values that the rest builds on."""

import pytest

from controller.history.records import ClusterState
from controller.model.declaration import Size
from controller.model.verdict import HoldReason
from tests.builders_core import a_declaration, a_group, a_size


@pytest.mark.parametrize("text", ["1", "200", "5%", "100%", "rest"])
def test_a_size_prints_as_people_write_it(text: str) -> None:
    """
    A number, a percentage, or the rest.
    """
    assert text == str(a_size(text))
    assert (text == "rest") == a_size(text).is_rest


def test_a_percentage_is_rounded_down() -> None:
    """
    Also to none: who needs at least one says so.
    """
    assert [0, 1, 1, 2] == [a_size("10%").of(live) for live in (9, 10, 19, 20)]
    assert 3 == a_size("3").of(1)


def test_the_rest_has_no_number_of_its_own() -> None:
    """
    Asked for one, that is a bug.
    """
    with pytest.raises(AssertionError):
        Size().of(5)


def test_a_declaration_finds_its_groups_by_name() -> None:
    """
    A name that it does not declare is none.
    """
    declaration = a_declaration(a_group("b"), a_group("a"))

    assert declaration.groups[1] is declaration.group("b")
    assert None is declaration.group("c")
    assert ["a", "b"] == [group.name for group in declaration.groups]


def test_public_names_are_written_in_pascal_case_and_states_in_small_letters() -> None:
    """
    People write alerts on them.
    """
    assert all(reason.value.isalpha() and reason.value[0].isupper() for reason in HoldReason)
    assert all(state.value.islower() for state in ClusterState)
