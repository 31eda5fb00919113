"""Kafka's two numbers: releases and metadata versions, compared as numbers and never as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.versions import KafkaVersion, MetadataVersion

NUMBERS = st.tuples(*[st.integers(0, 9999)] * 3)


@pytest.mark.parametrize("text", ["4.3.1", "0.0.0", "3.10.2", "9999.0.0", "4.3.1-acme1", "4.3.1-a.b.2"])
def test_a_release_reads_as_it_is_written(text: str) -> None:
    """
    Printed it is the same text.
    """
    assert text == str(KafkaVersion.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "4.3",
        "4.3.1.0",
        "4.3.01",
        "04.3.1",
        "4.3.x",
        "4.3.1-",
        "4.3.1-ACME",
        "v4.3.1",
        " 4.3.1",
        "4.3.1\n",
        "٤.3.1",
    ],
)
def test_what_is_no_release_is_refused_with_an_example(text: str) -> None:
    """
    No number is guessed: 4.3 is no 4.3.0.
    """
    with pytest.raises(ValueError, match=r"is no release such as 4\.3\.1"):
        KafkaVersion.parse(text)


@given(NUMBERS, NUMBERS)
def test_releases_are_ordered_as_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    """
    3.10.0 is later than 3.9.0.
    """
    first, second = (KafkaVersion.parse(".".join(map(str, numbers))) for numbers in (one, other))

    assert (one < other) == (first < second)
    assert one[:2] == first.line


def test_a_vendors_build_comes_after_the_release_it_is_of() -> None:
    """
    And before the next patch.
    """
    plain, build, patch = (KafkaVersion.parse(text) for text in ("4.3.1", "4.3.1-acme1", "4.3.2"))

    assert plain < build < patch


def test_metadata_versions_are_ordered_by_level_alone() -> None:
    """
    Names are for people.
    """
    lower, higher = MetadataVersion(9, "z"), MetadataVersion(10, "a")

    assert lower < higher
    assert MetadataVersion(10, "b", changes_metadata=True) == higher
    assert "a" == str(higher)
