"""The file of acknowledged records, and the tally that says what became of each: lost, twice, out of order.

A record is named ``RUN-KEY-NUMBER``: eight hexadecimal digits drawn for one run of the load, the number of its key, and
a number that counts up from 0 within that key. That name is its value in the topic too. One line of the file is
``PARTITION OFFSET RECORD``; the offset is -1 where the broker did not name one. A load that is killed leaves half a
line at the end: it is passed over when the file is read, and cut off before more is written. It knows nothing of Kafka.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from controller.errors import LabError

RECORDS_MAX = 200_000_000
"""Of one file: the tally takes a byte for each."""
EXAMPLES_MAX = 10
LINE_BYTES_MAX = 200

_RECORD = re.compile(rb"([0-9a-f]{8})-([0-9]{1,6})-([0-9]{1,10})")
_LINE = re.compile(rb"[0-9]{1,6} -?[0-9]{1,19} (" + _RECORD.pattern + rb")\n")
_ACKNOWLEDGED, _FOUND, _TWICE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of acknowledged records."""

    acknowledged: int
    lost: int
    """Acknowledged, and not in the topic."""
    duplicated: int
    """Acknowledged, and more than once in the topic."""
    out_of_order: int = 0
    """Acknowledged, and behind a later one of its key in the topic."""
    examples: tuple[str, ...] = ()
    """At most ten of them, such as ``lost 0123abcd-4-17``."""

    @property
    def is_good(self) -> bool:
        """Whether every record is there once and in its place."""
        return not (self.lost or self.duplicated or self.out_of_order)


class Tally:
    """Every acknowledged record as a byte, by run and key; millions of them take as many bytes."""

    def __init__(self) -> None:
        self._marks: dict[tuple[bytes, bytes], bytearray] = {}
        self._newest: dict[tuple[bytes, bytes], int] = {}
        self._bytes = 0
        self._out_of_order = 0
        self._examples: list[str] = []

    def acknowledge(self, run: bytes, key: bytes, number: int) -> None:
        """Take in one line of the file; LabError where there are too many."""
        marks = self._marks.setdefault((run, key), bytearray())
        missing = number + 1 - len(marks)
        if missing > 0:
            self._bytes += missing
            if self._bytes > RECORDS_MAX:
                raise LabError(f"acknowledged records: found more than {RECORDS_MAX}, which is all that is verified")
            marks.extend(bytes(missing))
        marks[number] |= _ACKNOWLEDGED

    def find(self, value: bytes | None) -> None:
        """Take in the value of one record of the topic, in the order of its partition; others' are passed over."""
        match = _RECORD.fullmatch(value or b"")
        if match is None:
            return
        run, key, number = match[1], match[2], int(match[3])
        marks = self._marks.get((run, key))
        if marks is None or number >= len(marks) or not marks[number] & _ACKNOWLEDGED:
            return
        if marks[number] & _FOUND:
            marks[number] |= _TWICE
            self._note("twice", run, key, number)
            return
        marks[number] |= _FOUND
        if number < self._newest.get((run, key), -1):
            self._out_of_order += 1
            self._note("out of order", run, key, number)
        else:
            self._newest[run, key] = number

    def report(self) -> LoadReport:
        """What became of all that was acknowledged, once the whole topic is read."""
        acknowledged = lost = twice = 0
        for (run, key), marks in self._marks.items():
            unmarked = marks.count(0)
            gone = marks.count(_ACKNOWLEDGED)
            acknowledged += len(marks) - unmarked
            twice += marks.count(_ACKNOWLEDGED | _FOUND | _TWICE)
            lost += gone
            at = -1
            while gone and len(self._examples) < EXAMPLES_MAX and (at := marks.find(_ACKNOWLEDGED, at + 1)) >= 0:
                self._note("lost", run, key, at)
        return LoadReport(acknowledged, lost, twice, self._out_of_order, tuple(self._examples))

    def _note(self, what: str, run: bytes, key: bytes, number: int) -> None:
        if len(self._examples) < EXAMPLES_MAX:
            self._examples.append(f"{what} {run.decode()}-{key.decode()}-{number}")


def read_tally(path: Path) -> Tally:
    """Return a tally of the acknowledged records in ``path``; LabError where it is no such file."""
    tally = Tally()
    try:
        with path.open("rb") as file:
            for at, line in _whole_lines(file):
                match = _LINE.fullmatch(line)
                if match is None:
                    raise LabError(f"{path}:{at}: found {line[:60]!r}, expected PARTITION OFFSET RUN-KEY-NUMBER")
                tally.acknowledge(match[2], match[3], int(match[4]))
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from error
    return tally


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """The file of acknowledged records, open for writing more, its folder made; LabError where it cannot be.

    Half a line at its end is cut off first. One load at a time writes to it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabError(f"{path}: another load writes to it; wait for its end, or name another file") from error
        _cut_half_a_line(file)
        yield file


def _whole_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    at = 0
    while line := file.readline(LINE_BYTES_MAX):
        at += 1
        if not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
            return
        yield at, line


def _cut_half_a_line(file: BinaryIO) -> None:
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - LINE_BYTES_MAX)
    file.seek(start)
    end = file.read(size - start)
    if end and not end.endswith(b"\n"):
        os.ftruncate(file.fileno(), start + end.rfind(b"\n") + 1)
    file.seek(0, io.SEEK_END)
