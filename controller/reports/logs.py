"""Logs: one line per happening, text for a person at a terminal, JSON for machines; never a secret in either.

Our own modules log with structlog, other libraries with the standard library; both leave through one stream, one
format and one redaction. Ours are the loggers below ``controller``; the others say only warnings and worse, since
their chatter (each poll, each connection) hides what matters. Redaction comes last and goes through every value, also
through the text of exceptions, because nobody knows in which sentence of which library a token turns up.
"""

import contextlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from structlog.types import EventDict, Processor

OWN_LOGGERS = "controller"
TOLD_IN_OUR_WORDS = ("kafka", "apscheduler")
"""Libraries whose every trouble comes back to us as an error or a value, and is told then: brokers that restart while a
cluster rolls are no news, and a cycle that outlasts its interval is a metric."""
DEPTH_MAX = 6
"""Values nested deeper than this are shown as text."""
_MASK = "***"
_TRACES = ("exception", "stack")
_PATTERNS = (
    (re.compile(r"://[^/\s]*@"), f"://{_MASK}@"),
    (
        re.compile(r"\b(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+)[^\s\"',]+", re.IGNORECASE),
        rf"\1{_MASK}",
    ),
    (re.compile(r"\b(?:xox[a-z]|xapp|gh[pousr]|github_pat|glpat)[-_][\w.-]{8,}"), _MASK),
)
"""User information in URLs; Authorization headers; tokens by the prefixes of Slack, GitHub and GitLab."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Redaction:
    """Removes known secrets, and what looks like one, from text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in (secret, quote(secret, safe="")) if form}
        # Longest first: one secret may be a part of another.
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._known = re.compile(alternatives) if forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` with each secret replaced by ``***``."""
        if self._known is not None:
            text = self._known.sub(_MASK, text)
        for pattern, mask in _PATTERNS:
            text = pattern.sub(mask, text)
        return text


@dataclass(frozen=True, slots=True)
class LogStyle:
    """How log lines look."""

    json: bool
    """JSON lines, else text."""
    level: str = "info"
    """The least important lines of our own that are written: ``debug``, ``info``, ``warning`` or ``error``."""
    colors: bool = False

    @staticmethod
    def choose(log_format: str, stream: TextIO, *, level: str = "info", colors: bool = True) -> "LogStyle":
        """Return the style for ``auto``, ``text`` or ``json`` on ``stream``; ``auto`` is text on a terminal."""
        terminal = stream.isatty()
        json = log_format == "json" or (log_format == "auto" and not terminal)
        return LogStyle(json=json, level=level, colors=colors and terminal and not json)


def set_up_logs(stream: TextIO, style: LogStyle, redaction: Redaction) -> None:
    """Send every log line of this process to ``stream``; done again, it replaces what was set up before."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        stamp,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    outlet = _Outlet(stream)
    outlet.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Cleaner(redaction, escape=not style.json),
                _renderer(style),
            ],
        )
    )
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Outlet)]:
        root.removeHandler(earlier)
    root.addHandler(outlet)
    own_level = logging.getLevelNamesMapping()[style.level.upper()]
    root.setLevel(max(own_level, logging.WARNING))
    logging.getLogger(OWN_LOGGERS).setLevel(own_level)
    for name in TOLD_IN_OUR_WORDS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _renderer(style: LogStyle) -> Processor:
    if style.json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=style.colors, force_colors=style.colors, exception_formatter=structlog.dev.plain_traceback
    )


class _Outlet(logging.StreamHandler[TextIO]):
    """The one place where lines leave; known by its type, so that a second set-up can replace it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say where a line was lost, and not what it said: the standard method prints it, secrets and all."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"a log line of {record.name} ({record.filename}:{record.lineno}) could not be written\n")


class _Cleaner:
    """The last step before a line is written: every value without secrets, and in text on one line."""

    def __init__(self, redaction: Redaction, *, escape: bool) -> None:
        self._redaction = redaction
        self._escape = escape
        """A line break in a value would let a cluster's message forge a line; JSON escapes it by itself."""

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's form
        return {self._text(key): self._value(value, 0, trace=key in _TRACES) for key, value in event.items()}

    def _value(self, value: object, depth: int, *, trace: bool = False) -> Any:  # noqa: ANN401 - as it came
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, datetime):
            return value.isoformat()
        if depth < DEPTH_MAX and isinstance(value, Mapping):
            return {self._text(key): self._value(inner, depth + 1) for key, inner in value.items()}
        if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, depth + 1) for inner in value]
        return self._redaction(str(value)) if trace else self._text(value)

    def _text(self, value: object) -> str:
        text = self._redaction(str(value))
        return _CONTROL.sub(_escaped, text) if self._escape else text


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
