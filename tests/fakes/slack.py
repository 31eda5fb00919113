"""A stand-in for Slack's Web API that keeps messages and threads and enforces the documented limits.

Slack cannot be run on one machine. This fake answers the five methods a report needs as the reference describes them
(docs.slack.dev/reference/methods; errors are HTTP 200 with ``ok: false``) and is stricter than Slack where a mistake
would go unseen there: a reply whose ``thread_ts`` is no parent is refused, though Slack takes it and shows it nowhere.
It knows no scopes, no files, no direct messages and no buttons that answer.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.loopback import Answer, Call, Clock, FakeServer, Trouble
from tests.fakes.slack_blocks import refusal, texts

POST_TEXT_CHARACTERS_MAX = 40_000
"""Longer texts are cut when posted, with a warning."""
UPDATE_TEXT_CHARACTERS_MAX = 4000
"""Longer texts are refused by an update."""
METADATA_CHARACTERS_MAX = 16_000
"""Of the metadata as JSON. The reference names the error and no number; this one is ours."""
HISTORY_ROWS_MAX = 999
TOKEN = "xoxb-of-the-fake"

_FIRST_SECOND = 1_770_000_000
_MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a client may call; 0 for as often as it likes."""

    post_interval_seconds: float = 1.0
    """Between two messages in one channel. Slack tolerates short bursts without promising it; the fake does not."""
    updates_per_minute: int = 50
    reads_per_minute: int = 50
    """Of ``conversations.history`` and of ``conversations.replies``, each."""


UNLIMITED = Limits(0, 0, 0)


@dataclass(slots=True)
class Message:
    """A message as a channel shows it now."""

    channel: str
    """The channel's id."""
    ts: str
    """The message's id, which orders messages too."""
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    thread_ts: str | None = None
    """The parent's id in a reply; None in the channel itself."""
    is_ours: bool = True
    """Posted with the fake's token, not by a person."""
    earlier_texts: list[str] = field(default_factory=list)
    """What ``text`` was before each update, oldest first."""

    @property
    def shown(self) -> str:
        """What a person reads: the blocks' texts, a line each, or the text where there are no blocks."""
        return "\n".join(texts(self.blocks)) if self.blocks else self.text


@dataclass(frozen=True, slots=True)
class Thread:
    """A message of the channel and its replies, oldest first."""

    parent: Message
    replies: tuple[Message, ...]


@dataclass(slots=True)
class _Channel:
    id: str
    name: str
    is_member: bool
    is_archived: bool = False
    next_post_at: float = -math.inf


class SlackError(Exception):
    """A refusal, by the name Slack gives it."""

    def __init__(self, name: str, details: list[str] | None = None) -> None:
        self.answer = Answer.json({"ok": False, "error": name, "response_metadata": {"messages": details or []}})
        super().__init__(name)


class FakeSlack(FakeServer):
    """``with FakeSlack() as slack: WebClient(TOKEN, base_url=slack.api_url)``. It begins without any channel."""

    def __init__(self, *, limits: Limits | None = None, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self.api_url = f"{self.origin}/api/"
        """What slack_sdk takes as ``base_url``."""
        self.messages: list[Message] = []
        """Every message, in the order they were posted."""
        self._limits = limits or Limits()
        self._clock = clock
        self._channels: list[_Channel] = []
        self._recent: dict[str, deque[float]] = {}
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }

    def add_channel(self, name: str, *, is_member: bool = True) -> str:
        """Make a channel, which our app is a member of or not; its id."""
        self._channels.append(_Channel(f"C{len(self._channels) + 1:08}", name.removeprefix("#"), is_member))
        return self._channels[-1].id

    def archive(self, name: str) -> None:
        """Archive a channel: nobody posts there any more."""
        self._named(name).is_archived = True

    def say(self, channel: str, text: str) -> str:
        """Let a person post in a channel, by its name; the message's ``ts``."""
        return self._add(Message(self._named(channel).id, self._next_ts(), text, is_ours=False)).ts

    def threads(self, channel: str | None = None) -> list[Thread]:
        """Our messages in one channel (by name) or all of them, oldest first, each with its replies."""
        within = None if channel is None else self._named(channel).id
        parents = [each for each in self.messages if each.thread_ts is None and each.is_ours]
        return [
            Thread(parent, tuple(self._replies_to(parent))) for parent in parents if within in (None, parent.channel)
        ]

    def rate_limit(self, retry_after_seconds: int, *, times: int = 1, only: str = "") -> None:
        """Answer the next calls with 429 and ``Retry-After``, whatever the limits say."""
        self.suffer(Trouble(times, only, _too_often(retry_after_seconds)))

    def deny(self, error: str, *, times: int = 1, only: str = "") -> None:
        """Answer the next calls with 200 and ``ok: false``, such as ``deny("fatal_error")``."""
        self.suffer(Trouble(times, only, SlackError(error).answer))

    def answer(self, call: Call) -> Answer:
        """Take a call of one method of the Web API."""
        try:
            return self._take(call.path.removeprefix("/api/"), call)
        except SlackError as error:
            return error.answer

    def _take(self, name: str, call: Call) -> Answer:
        fields = _fields(call)
        method = self._methods.get(name)
        if method is None:
            raise SlackError("unknown_method")
        self._admit(call, fields)
        wait_seconds = self._wait_seconds(name, fields)
        return _too_often(math.ceil(wait_seconds)) if wait_seconds > 0 else Answer.json({"ok": True, **method(fields)})

    def _admit(self, call: Call, fields: dict[str, Any]) -> None:
        presented = call.headers.get("authorization", "").removeprefix("Bearer ") or fields.get("token")
        if not presented:
            raise SlackError("not_authed")
        if presented != TOKEN:
            raise SlackError("invalid_auth")

    def _wait_seconds(self, method: str, fields: dict[str, Any]) -> float:
        """How long the caller must wait; 0 lets it in and counts the call."""
        now = self._clock()
        if method == "chat.postMessage":
            channel = self._channel(fields, by_name=True)
            if now >= channel.next_post_at:
                channel.next_post_at = now + self._limits.post_interval_seconds
                return 0
            return channel.next_post_at - now
        limits = {"chat.update": self._limits.updates_per_minute, "auth.test": 0}
        per_minute = limits.get(method, self._limits.reads_per_minute)
        recent = self._recent.setdefault(method, deque())
        while recent and recent[0] <= now - _MINUTE_SECONDS:
            recent.popleft()
        if per_minute and len(recent) >= per_minute:
            return recent[0] + _MINUTE_SECONDS - now
        recent.append(now)
        return 0

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        place = {"url": self.origin, "team": "Fleet Team", "team_id": "T00000001"}
        return {**place, "user": "wavefleet", "user_id": "U00000001", "bot_id": "B00000001"}

    def _post(self, fields: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(fields, by_name=True)
        if channel.is_archived:
            raise SlackError("is_archived")
        if not channel.is_member:
            raise SlackError("not_in_channel")
        text, blocks = str(fields.get("text") or ""), _blocks(fields) or []
        if not text and not blocks:
            raise SlackError("no_text")
        parent = self._parent(channel, fields.get("thread_ts"))
        kept = text[:POST_TEXT_CHARACTERS_MAX]
        message = Message(channel.id, self._next_ts(), kept, blocks, _metadata(fields) or {}, parent)
        self._add(message)
        answer: dict[str, Any] = {"channel": channel.id, "ts": message.ts, "message": self._row(message)}
        return answer if kept == text else {**answer, "warning": "message_truncated"}

    def _update(self, fields: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(fields)
        if channel.is_archived:
            raise SlackError("is_inactive")
        message = self._message(channel, fields.get("ts"))
        if message is None:
            raise SlackError("message_not_found")
        if not message.is_ours:
            raise SlackError("cant_update_message")
        text, blocks, metadata = fields.get("text"), _blocks(fields), _metadata(fields)
        if text is None and blocks is None:
            raise SlackError("no_text")
        if len(text or "") > UPDATE_TEXT_CHARACTERS_MAX:
            raise SlackError("msg_too_long")
        message.earlier_texts.append(message.text)
        message.text = message.text if text is None else text
        message.blocks = message.blocks if blocks is None else blocks
        message.metadata = message.metadata if metadata is None else metadata
        return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": self._row(message)}

    def _history(self, fields: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(fields)
        rows = [each for each in self.messages if each.channel == channel.id and each.thread_ts is None]
        return self._page(list(reversed(rows)), fields)

    def _replies(self, fields: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(fields)
        message = self._message(channel, fields.get("ts"))
        parent = self._message(channel, message.thread_ts) if message and message.thread_ts else message
        if parent is None:
            raise SlackError("thread_not_found")
        return self._page([parent, *self._replies_to(parent)], fields)

    def _page(self, rows: list[Message], fields: dict[str, Any]) -> dict[str, Any]:
        """One page of ``rows``, in their order, within ``oldest`` and ``latest``."""
        limit = int(fields.get("limit") or 100)
        if not 1 <= limit <= HISTORY_ROWS_MAX:
            raise SlackError("invalid_limit")
        within = [row for row in rows if _is_within(row.ts, fields)]
        cursor = str(fields.get("cursor") or "0")
        if not cursor.isdigit() or int(cursor) > len(within):
            raise SlackError("invalid_cursor")
        end = int(cursor) + limit
        more = end < len(within)
        page = [self._row(row, metadata=_is_true(fields, "include_all_metadata")) for row in within[int(cursor) : end]]
        return {
            "messages": page,
            "has_more": more,
            "response_metadata": {"next_cursor": str(end) if more else ""},
        }

    def _row(self, message: Message, *, metadata: bool = True) -> dict[str, Any]:
        """A message as the API shows it."""
        author = {"bot_id": "B00000001"} if message.is_ours else {"user": "U00000009"}
        row: dict[str, Any] = {"type": "message", "ts": message.ts, "text": message.text, **author}
        if message.blocks:
            row["blocks"] = message.blocks
        if message.metadata and metadata:
            row["metadata"] = message.metadata
        replies = self._replies_to(message)
        if replies:
            row |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        if message.thread_ts is not None:
            row["thread_ts"] = message.thread_ts
        if message.earlier_texts:
            row["edited"] = {"user": "B00000001", "ts": message.ts}
        return row

    def _channel(self, fields: dict[str, Any], *, by_name: bool = False) -> _Channel:
        wanted = str(fields.get("channel") or "")
        for channel in self._channels:
            if wanted == channel.id or (by_name and wanted.removeprefix("#") == channel.name):
                return channel
        raise SlackError("channel_not_found")

    def _readable(self, fields: dict[str, Any]) -> _Channel:
        channel = self._channel(fields)
        if not channel.is_member:
            raise SlackError("not_in_channel")
        return channel

    def _named(self, name: str) -> _Channel:
        return self._channel({"channel": name}, by_name=True)

    def _message(self, channel: _Channel, ts: object) -> Message | None:
        return next((each for each in self.messages if each.channel == channel.id and each.ts == ts), None)

    def _parent(self, channel: _Channel, thread_ts: object) -> str | None:
        if thread_ts is None:
            return None
        parent = self._message(channel, thread_ts)
        if parent is None or parent.thread_ts is not None:
            raise SlackError("thread_not_found", ["thread_ts is no message of this channel itself"])
        return parent.ts

    def _replies_to(self, parent: Message) -> list[Message]:
        return [each for each in self.messages if each.channel == parent.channel and each.thread_ts == parent.ts]

    def _add(self, message: Message) -> Message:
        self.messages.append(message)
        return message

    def _next_ts(self) -> str:
        return f"{_FIRST_SECOND + len(self.messages)}.{len(self.messages):06}"


def _too_often(retry_after_seconds: int) -> Answer:
    return Answer.json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(retry_after_seconds)})


def _fields(call: Call) -> dict[str, Any]:
    try:
        return call.fields()
    except ValueError as error:
        raise SlackError("invalid_json") from error


def _decoded(fields: dict[str, Any], name: str, error: str) -> Any:  # noqa: ANN401 - JSON
    """An argument that may come as JSON text (in a form) or as it is (in a JSON body)."""
    content = fields.get(name)
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content)
    except ValueError as broken:
        raise SlackError(error) from broken


def _blocks(fields: dict[str, Any]) -> list[dict[str, Any]] | None:
    blocks: list[dict[str, Any]] | None = _decoded(fields, "blocks", "invalid_blocks_format")
    refused = None if blocks is None else refusal(blocks)
    if refused is not None:
        raise SlackError(*refused)
    return blocks


def _metadata(fields: dict[str, Any]) -> dict[str, Any] | None:
    metadata = _decoded(fields, "metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if not metadata:
        return {}
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > METADATA_CHARACTERS_MAX:
        raise SlackError("metadata_too_large")
    return metadata


def _is_true(fields: dict[str, Any], name: str) -> bool:
    return str(fields.get(name)).lower() in {"1", "true"}


def _is_within(ts: str, fields: dict[str, Any]) -> bool:
    oldest, latest = float(fields.get("oldest") or 0), float(fields.get("latest") or math.inf)
    inclusive = _is_true(fields, "inclusive")
    return oldest < float(ts) < latest or (inclusive and float(ts) in (oldest, latest))
