"""A terminal as a channel: the thread and the statuses as people would see them on Slack and a forge.

For ``wavefleet demo`` and for a daemon that somebody watches. What was printed cannot be edited, so a first message
that changes is printed again, as one line. Colours come from Rich, and only where the stream is a terminal;
anything else gets plain text without control characters, also out of names that have some.
"""

from collections import OrderedDict
from typing import TextIO

from controller.errors import ReportDelayed
from controller.model.outbox import CommitStatus, Delivery, StatusState, ThreadHead, ThreadReply
from controller.reports.statuses import as_shown
from controller.reports.wording import (
    OBSERVE_SENTENCE,
    PERSON_SENTENCE,
    STATE_SYMBOLS,
    one_line,
    progress,
    short,
)

REMEMBERED_MAX = 10_000
"""So many messages are remembered as printed."""

_STYLES = {
    StatusState.PENDING: "yellow",
    StatusState.SUCCESS: "green",
    StatusState.FAILURE: "bold red",
    StatusState.ERROR: "red",
}

Line = tuple[str, str]
"""A line and its style; empty for none."""


class TerminalChannel:
    """Prints to ``stream``. A message that this process has printed is not printed again."""

    def __init__(self, stream: TextIO, *, name: str = "terminal") -> None:
        self.name = name
        self._stream = stream
        self._printed: OrderedDict[str, str] = OrderedDict()
        self._titles: OrderedDict[str, str] = OrderedDict()
        """Of each thread whose first message was printed."""
        self._last_thread = ""
        """Whose lines stand right above; a reply to another one names it."""

    def deliver(self, delivery: Delivery) -> str:
        """Print one message and return its key. Raises ReportDelayed where the stream fails."""
        key = delivery.message.key
        if key in self._printed:
            return key
        try:
            self._print(self._lines(delivery.message.body))
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise ReportDelayed(f"terminal: cannot print ({type(error).__name__}: {error})") from None
        _remember(self._printed, key, key)
        return key

    def check(self) -> str:
        """Return a sentence; a terminal needs no rights."""
        return "terminal: statuses and threads are printed"

    def _lines(self, body: CommitStatus | ThreadHead | ThreadReply) -> list[Line]:
        match body:
            case CommitStatus():
                return _status_lines(body)
            case ThreadHead():
                is_known = body.thread in self._titles
                _remember(self._titles, body.thread, one_line(body.title))
                self._last_thread = body.thread
                return [_edited_line(body)] if is_known else _head_lines(body)
            case ThreadReply():
                title = "" if body.thread == self._last_thread else self._titles.get(body.thread, "")
                self._last_thread = body.thread
                return _reply_lines(body, title)

    def _print(self, lines: list[Line]) -> None:
        if self._stream.isatty():
            self._print_coloured(lines)
        else:
            self._stream.write("".join(f"{self._printable(text)}\n" for text, _ in lines))
        self._stream.flush()

    def _print_coloured(self, lines: list[Line]) -> None:
        from rich.console import Console
        from rich.text import Text

        console = Console(file=self._stream, highlight=False)
        for text, style in lines:
            console.print(Text(self._printable(text), style=style), soft_wrap=True)

    def _printable(self, text: str) -> str:
        """Return ``text`` without control characters, and without what the stream's encoding has not."""
        harmless = "".join(character if character.isprintable() else "?" for character in text)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return harmless.encode(encoding, "replace").decode(encoding)


def _status_lines(status: CommitStatus) -> list[Line]:
    shown = as_shown(status)
    where = f"{short(shown.revision)}  {shown.context}"
    return [(f"{STATE_SYMBOLS[shown.state]} {where}: {shown.state.value}: {shown.description}", _STYLES[shown.state])]


def _head_lines(head: ThreadHead) -> list[Line]:
    drawn = progress(head)
    lines = [
        ("", ""),
        (f"┏ {STATE_SYMBOLS[head.state]} {one_line(head.title)}", _STYLES[head.state]),
        *((f"┃ {line}", "") for line in head.sentence.splitlines()),
        *([(f"┃ {drawn}", "cyan")] if drawn else []),
        (f"┃ revision {short(head.revision)}", "dim"),
    ]
    return [*lines, (f"┃ {OBSERVE_SENTENCE}", "bold")] if head.observe_only else lines


def _edited_line(head: ThreadHead) -> Line:
    sentence, title = one_line(head.sentence), one_line(head.title)
    told = sentence if sentence.startswith(title) else f"{title}: {sentence}"
    parts = (STATE_SYMBOLS[head.state], progress(head), told, OBSERVE_SENTENCE if head.observe_only else "")
    return f"┃ {' '.join(part for part in parts if part)}", _STYLES[head.state]


def _reply_lines(reply: ThreadReply, title: str) -> list[Line]:
    first, *others = reply.text.splitlines() or [""]
    lead = (f"{title}: " if title else "") + (f"{PERSON_SENTENCE} " if reply.needs_person else "")
    style = "bold red" if reply.needs_person else ""
    return [(f"  ↳ {lead}{first}", style), *((f"    {line}", style) for line in others)]


def _remember(known: OrderedDict[str, str], key: str, value: str) -> None:
    known[key] = value
    if len(known) > REMEMBERED_MAX:
        known.popitem(last=False)
