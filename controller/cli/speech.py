"""What a command says: on standard output what was asked for, on standard error what a person should know.

A reader that has gone (``| head``) is no error: what it does not want is dropped, and the exit code stays the
command's own. Names and messages come from outside, so control characters, which could rewrite what a terminal shows,
are not passed on; nor does an encoding without our signs end a command.
"""

import io
import os
import re
import sys
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but line ends and tabs, marks that turn the direction of what follows, halves of characters."""


def say(text: str) -> None:
    """Print ``text`` on standard output."""
    _print(printable(text), sys.stdout)


def complain(sentence: str) -> None:
    """Print ``sentence`` on standard error."""
    _print(printable(sentence), sys.stderr)


def printable(text: str) -> str:
    """Return ``text`` with ``?`` in place of every control character but line ends and tabs."""
    return _CONTROL.sub("?", text)


def can_be_shown(character: str) -> bool:
    """Tell whether ``character`` may stand in a text of one line that people are shown."""
    return character not in "\t\n" and not _CONTROL.match(character)


def forgive_encodings() -> None:
    """Let both streams write ``?`` for what their encoding has not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        drop_the_rest(stream)


def drop_the_rest(stream: TextIO) -> None:
    """Let everything that is still written to ``stream`` go nowhere; what is buffered would fail again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
