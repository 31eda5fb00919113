"""The file of acknowledged records and its tally: lost, twice, out of order, and what a killed load leaves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import LabError
from controller.lab.acknowledged import LoadReport, Tally, appending, read_tally

RUN = "0123abcd"


def a_tally(*acknowledged: tuple[int, int]) -> Tally:
    """A tally of one run's records, by key and number."""
    tally = Tally()
    for key, number in acknowledged:
        tally.acknowledge(RUN.encode(), str(key).encode(), number)
    return tally


def find(tally: Tally, *found: tuple[int, int]) -> LoadReport:
    """Read records in this order, and report."""
    for key, number in found:
        tally.find(f"{RUN}-{key}-{number}".encode())
    return tally.report()


def test_what_is_there_once_and_in_order_is_good() -> None:
    """
    Keys mix as they like; records that were not acknowledged, and those of others, are passed over.
    """
    tally = a_tally((0, 0), (1, 0), (0, 1), (0, 3))
    for value in (None, b"", b"hello", b"ffffffff-0-0", b"0123abcd-0", b"0123abcd-9-0"):
        tally.find(value)

    report = find(tally, (1, 0), (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 4))

    assert LoadReport(acknowledged=4, lost=0, duplicated=0) == report
    assert report.is_good


def test_each_kind_of_harm_is_counted_and_named() -> None:
    """
    Lost, twice, and behind a later one of its key: one each, told by its name.
    """
    report = find(a_tally(*((7, number) for number in range(5))), (7, 0), (7, 2), (7, 1), (7, 2), (7, 3))

    examples = (f"out of order {RUN}-7-1", f"twice {RUN}-7-2", f"lost {RUN}-7-4")
    assert LoadReport(acknowledged=5, lost=1, duplicated=1, out_of_order=1, examples=examples) == report
    assert not report.is_good


def test_examples_are_few_and_counts_are_whole() -> None:
    """
    A thousand lost records are counted, and ten are named.
    """
    report = a_tally(*((0, number) for number in range(1000))).report()

    assert (1000, 1000, 10) == (report.acknowledged, report.lost, len(report.examples))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), max_size=40), st.data())
def test_the_tally_counts_as_one_would_by_hand(found: list[tuple[int, int]], draw: st.DataObject) -> None:
    """
    Against the plain definition, for any records in any order.
    """
    acknowledged = draw.draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 8))))
    ours = [it for it in found if it in acknowledged]
    firsts = list(dict.fromkeys(ours))
    late = sum(any(key == it[0] and number > it[1] for key, number in firsts[:at]) for at, it in enumerate(firsts))

    report = find(a_tally(*acknowledged), *found)

    twice = sum(ours.count(it) > 1 for it in acknowledged)
    expected = (len(acknowledged), len(acknowledged - {*ours}), twice, late)
    assert expected == (report.acknowledged, report.lost, report.duplicated, report.out_of_order)


def test_half_a_line_at_the_end_is_no_record(tmp_path: Path) -> None:
    """
    A load that was killed in the middle of writing: what it had written whole counts, and half a number is none.
    """
    path = tmp_path / "acked"
    path.write_text(f"0 0 {RUN}-0-0\n1 7 {RUN}-1-0\n2 9 {RUN}-2-10")

    assert 2 == read_tally(path).report().acknowledged


def test_a_load_that_goes_on_cuts_half_a_line_off_first(tmp_path: Path) -> None:
    """
    Else the next record would be glued to it, and neither could be read; a new file's folder is made.
    """
    path = tmp_path / "load" / "orders.acked"
    for end in (f"0 0 {RUN}-0-0\n1 1 {RUN}-0-", f"0 2 {RUN}-1-0\n", "half"):
        with appending(path) as file:
            file.write(end.encode())
    with appending(path):
        pass

    assert f"0 0 {RUN}-0-0\n0 2 {RUN}-1-0\n" == path.read_text()


def test_two_loads_do_not_write_to_one_file(tmp_path: Path) -> None:
    """
    Their lines would be torn; the second one is told.
    """
    with (
        appending(tmp_path / "acked"),
        pytest.raises(LabError, match="acked: another load writes to it"),
        appending(tmp_path / "acked"),
    ):
        pytest.fail("it was opened")


@pytest.mark.parametrize("line", ["hello", f"0 0 {RUN}-0", f"0 {RUN}-0-0", f"0 0 {RUN}-0-0 ", "x" * 500])
def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    """
    Whatever is no acknowledged record is not quietly passed over: it could be one.
    """
    (tmp_path / "acked").write_text(f"0 0 {RUN}-0-0\n{line}\n0 0 {RUN}-0-1\n")

    with pytest.raises(LabError, match=r"acked:2: found b'.*, expected PARTITION OFFSET RUN-KEY-NUMBER"):
        read_tally(tmp_path / "acked")


def test_a_number_beyond_all_bounds_takes_no_memory(tmp_path: Path) -> None:
    """
    A spoiled file is a sentence, not a machine without memory.
    """
    (tmp_path / "acked").write_text(f"0 0 {RUN}-0-9999999999\n")

    with pytest.raises(LabError, match="found more than 200000000"):
        read_tally(tmp_path / "acked")
