"""Logs: one line per happening, with its time, and never a secret in it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from controller.reports.logs import LogStyle, Redaction, set_up_logs

TOKEN = "gt-0123/456+789"
CLEAN = Redaction([TOKEN])


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream for the lines; whatever was set up on the way is taken back."""
    root, own = logging.getLogger(), logging.getLogger("controller")
    before = (list(root.handlers), root.level, own.level)
    yield io.StringIO()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


def ours() -> Any:  # noqa: ANN401 - structlog's loggers are untyped
    """Return a logger as our modules make it."""
    return structlog.get_logger("controller.runtime.cycle")


def the_line(stream: io.StringIO) -> dict[str, Any]:
    """Return the one JSON line that was written."""
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1, lines
    line: dict[str, Any] = json.loads(lines[0])
    return line


def test_a_json_line_has_event_level_logger_and_time(stream: io.StringIO) -> None:
    """
    The time is ISO 8601 in UTC; values keep their types.
    """
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    ours().info("cycle ended", starts=2, took=timedelta(seconds=3), at=datetime(2026, 3, 2, tzinfo=UTC))

    line = the_line(stream)

    assert timedelta(0) == datetime.fromisoformat(line.pop("timestamp")).utcoffset()
    assert {
        "event": "cycle ended",
        "level": "info",
        "logger": "controller.runtime.cycle",
        "starts": 2,
        "took": "0:00:03",
        "at": "2026-03-02T00:00:00+00:00",
    } == line


@pytest.mark.parametrize(
    ("log_format", "stream", "expected"),
    [
        ("auto", Terminal(), LogStyle(json=False, colors=True)),
        ("auto", io.StringIO(), LogStyle(json=True)),
        ("text", io.StringIO(), LogStyle(json=False)),
        ("json", Terminal(), LogStyle(json=True)),
    ],
    ids=["auto on a terminal", "auto elsewhere", "text", "json"],
)
def test_the_stream_decides_where_nobody_does(log_format: str, stream: io.StringIO, expected: LogStyle) -> None:
    """
    Text with colours on a terminal, JSON elsewhere, and what is asked for where it is asked for.
    """
    assert expected == LogStyle.choose(log_format, stream)


def test_a_secret_is_removed_wherever_it_stands(stream: io.StringIO) -> None:
    """
    In the event, in values, in nested values, in keys, in objects, and as it is written in URLs.
    """
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    ours().info(
        f"pushed with {TOKEN}",
        argument=TOKEN,
        nested={"headers": [("x", f"token {TOKEN}")], TOKEN: 1},
        thing=ValueError(f"wrong {TOKEN}"),
        quoted="https://git.example/?t=gt-0123%2F456%2B789",
    )

    written = stream.getvalue()

    assert TOKEN not in written
    assert "0123%2F456" not in written
    assert written.count("***") == 6


def test_a_secret_in_an_exception_is_removed(stream: io.StringIO) -> None:
    """
    Tracebacks quote the error's text, which is where other libraries put URLs and headers.
    """
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    error = RuntimeError(f"fatal: unable to access 'https://ana:pa55@git.example/': {TOKEN}")
    ours().error("fetch failed", exc_info=error)

    line = the_line(stream)

    assert "RuntimeError: fatal: unable to access 'https://***@git.example/': ***" in line["exception"]
    assert "pa55" not in json.dumps(line)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("ssh://git:pa55@git.example/f", "ssh://***@git.example/f"),
        ("https://pa55@git.example/f@1", "https://***@git.example/f@1"),
        ("https://ana:p@55@git.example", "https://***@git.example"),
        ("https://git.example/@ana", "https://git.example/@ana"),
        ("Authorization: Basic cGE1NQ==", "Authorization: Basic ***"),
        ("{'Authorization': 'token pa55'}", "{'Authorization': 'token ***'}"),
        ("xoxb-123456789-abc and ghp_abcdefgh1234", "*** and ***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_what_looks_like_a_secret_is_removed_too(text: str, clean: str) -> None:
    """
    Not every secret is one of ours: user information in URLs, Authorization headers and well-known tokens go as well.
    """
    assert clean == Redaction()(text)


def test_a_secret_that_is_part_of_another_leaves_no_rest() -> None:
    """
    The longer one is removed first, so that its end does not stay.
    """
    assert "***." == Redaction(["abcd", "abcdefgh", ""])("abcdefgh.")


def test_other_libraries_say_warnings_alone(stream: io.StringIO) -> None:
    """
    Their lines have our form and our redaction, and their chatter is left out.
    """
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    logging.getLogger("apscheduler.executors.default").info("Running job")
    logging.getLogger("slack_sdk.web").warning("rate limited with %s", TOKEN)

    line = the_line(stream)

    assert ("rate limited with ***", "warning", "slack_sdk.web") == (line["event"], line["level"], line["logger"])


def test_the_level_is_ours(stream: io.StringIO) -> None:
    """
    ``debug`` opens our own lines and not those of others; ``error`` closes warnings of both.
    """
    set_up_logs(stream, LogStyle(json=True, level="debug"), CLEAN)
    ours().debug("one")
    logging.getLogger("git.cmd").info("two")
    set_up_logs(stream, LogStyle(json=True, level="error"), CLEAN)
    ours().warning("three")
    logging.getLogger("git.cmd").warning("four")

    assert "one" == the_line(stream)["event"]


def test_text_cannot_be_forged_by_a_value(stream: io.StringIO) -> None:
    """
    A line break or a terminal's command in a cluster's message stays a text on its line.
    """
    set_up_logs(stream, LogStyle(json=False), CLEAN)
    ours().warning("cluster failed", cause="broken\n2026-03-02 [info] all is well", code="\x1b[2J")
    logging.getLogger("git.cmd").warning("broken\n2026-03-02 [info] all is well\x1b[2J")

    written = stream.getvalue()

    assert len(written.splitlines()) == 2
    assert "\x1b" not in written


def test_text_shows_an_exception_in_full(stream: io.StringIO) -> None:
    """
    On a terminal a traceback keeps its lines.
    """
    set_up_logs(stream, LogStyle(json=False), CLEAN)
    try:
        int(TOKEN)
    except ValueError:
        ours().exception("cycle failed")

    written = stream.getvalue()

    assert "\nValueError: invalid literal for int() with base 10: '***'" in written
    assert "Traceback (most recent call last):\n" in written


def test_setting_up_again_replaces_the_stream(stream: io.StringIO) -> None:
    """
    After a second set-up each line is written once, to the new stream.
    """
    first = io.StringIO()
    set_up_logs(first, LogStyle(json=True), CLEAN)
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    ours().info("once")

    assert "" == first.getvalue()
    assert "once" == the_line(stream)["event"]


class Unprintable:
    """A value that cannot be shown."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError(TOKEN)


def test_a_line_that_cannot_be_written_stops_nothing(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A value that fails to print costs its line; what it said is not printed elsewhere either.
    """
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    ours().info("broken", value=Unprintable())
    captured = capsys.readouterr()

    assert "a log line of controller.runtime.cycle" in stream.getvalue()
    assert TOKEN not in stream.getvalue() + captured.err + captured.out


def test_values_that_never_end_are_cut(stream: io.StringIO) -> None:
    """
    A value nested in itself is shown as text from some depth on, so that a line stays a line.
    """
    nested: list[object] = []
    nested.append(nested)
    set_up_logs(stream, LogStyle(json=True), CLEAN)
    ours().info("deep", value=nested)

    assert "[[...]]" in stream.getvalue()
