"""How a thread looks in Slack: the first message as blocks that are replaced whole, the replies as one section each.

Everything that comes from Git is escaped, so that no file name or reason can ring people up or forge a link. Limits are
Block Kit's (3,000 characters a section, 150 a header, 50 blocks) and that of ``chat.update`` (4,000 characters of text,
where posting takes more). Sources: docs.slack.dev/reference/block-kit, .../methods/chat.update.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from controller.model.outbox import ThreadHead, ThreadReply
from controller.reports.wording import (
    ELLIPSIS,
    OBSERVE_SENTENCE,
    PERSON_SENTENCE,
    STATE_SYMBOLS,
    cut,
    one_line,
    printable,
    progress,
    short,
)

SECTION_CHARACTERS_MAX = 3000
HEADER_CHARACTERS_MAX = 150
TEXT_CHARACTERS_MAX = 4000

Block = dict[str, Any]

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}
_BROADCAST = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """What ``chat.postMessage`` and ``chat.update`` take."""

    text: str
    """For notifications and screen readers."""
    blocks: tuple[Block, ...]


def escape(text: str, most: int = SECTION_CHARACTERS_MAX) -> str:
    """Return ``text`` as mrkdwn that shows it and does nothing else, in at most ``most`` characters.

    Backticks become apostrophes, since mrkdwn has no escape for them; ``@here`` and its like lose their power to an
    invisible character. An entity is never cut in two.
    """
    kept: list[str] = []
    room = most - len(ELLIPSIS)
    harmless = _BROADCAST.sub("@" + _ZERO_WIDTH_SPACE, printable(text))
    escaped = [_ESCAPES.get(character, character) for character in harmless]
    if sum(map(len, escaped)) <= most:
        return "".join(escaped)
    for piece in escaped:
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS


def head_message(head: ThreadHead, commit_url: str) -> SlackMessage:
    """Lay out a thread's first message; ``commit_url`` holds ``{revision}``, or is empty where there is no link."""
    title = f"{STATE_SYMBOLS[head.state]} {one_line(head.title)}"
    drawn = progress(head)
    blocks = [
        _header(title),
        _section(escape(head.sentence)),
        *([_section(f"`{drawn}`")] if drawn else []),
        _context(_revision(head.revision, commit_url)),
        *([_context(escape(OBSERVE_SENTENCE))] if head.observe_only else []),
    ]
    spoken = f"{title}: {head.sentence}" + (f" {OBSERVE_SENTENCE}" if head.observe_only else "")
    return SlackMessage(escape(spoken, TEXT_CHARACTERS_MAX), tuple(blocks))


def reply_message(reply: ThreadReply) -> SlackMessage:
    """Lay out one reply."""
    lead = f"*{PERSON_SENTENCE}* " if reply.needs_person else ""
    body = escape(reply.text, SECTION_CHARACTERS_MAX - len(lead))
    return SlackMessage(lead + body, (_section(lead + body),))


def _revision(revision: str, commit_url: str) -> str:
    named = f"`{escape(short(revision))}`"
    url = commit_url.replace("{revision}", quote(revision, safe=""))
    return f"revision <{url}|{named}>" if url else f"revision {named}"


def _header(text: str) -> Block:
    # plain_text has no escapes; look-alikes keep a title from ever being read as a mention.
    harmless = printable(text).replace("<", "\u2039").replace(">", "\u203a") or " "
    return {"type": "header", "text": {"type": "plain_text", "text": cut(harmless, HEADER_CHARACTERS_MAX)}}


def _section(mrkdwn: str) -> Block:
    return {"type": "section", "text": _mrkdwn(mrkdwn)}


def _context(mrkdwn: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(mrkdwn)]}


def _mrkdwn(text: str) -> Mapping[str, Any]:
    # verbatim: Slack turns neither plain addresses nor names into links.
    return {"type": "mrkdwn", "text": text or " ", "verbatim": True}
