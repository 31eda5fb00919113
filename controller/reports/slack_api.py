"""Slack's Web API through slack-sdk: the only module that knows its client, its errors and their meaning.

The SDK may not retry: the outbox waits, so that a limit of 30 seconds blocks no thread and survives a restart. Each
error is sorted by what it says about the message: not taken (try again), never to be taken (drop), or taken perhaps
(look before the next try). Sources: docs.slack.dev/reference/methods/chat.postMessage and the pages of the other four
methods; that a failure while the request is still being written comes as ``URLError``, and any later one by its own
name, is the way of ``urllib.request``.
"""

import http.client
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.slack_response import SlackResponse

from controller.errors import ReportDelayed, ReportRefused
from controller.reports.slack_blocks import SlackMessage
from controller.reports.wording import cut, one_line

MENDING_SECONDS = 300.0
"""How soon Slack is asked again after an error that a person must mend."""
SETTLING_SECONDS = 30.0
"""A call that we gave up on may still be taken; it is looked for only after so long."""
EVENT_TYPE = "wavefleet"
"""Marks our messages in their metadata, beside the message's key."""
PAGE_ROWS = 200
PAGES_MAX = 5
TRIES_OF_THE_UNKNOWN_MAX = 10
"""An error that no table here knows is waited out so often (half an hour); then the message goes, not the channel."""

MENDED_BY_PERSONS = {
    "access_denied": "Slack denies this app access",
    "account_inactive": "the token belongs to a deleted or deactivated account",
    "channel_not_found": "Slack knows no such channel, or the app may not see it; give the channel's id",
    "ekm_access_denied": "the workspace's administrators suspended posting",
    "enterprise_is_restricted": "the token is not for this workspace",
    "invalid_auth": "Slack does not know the token",
    "is_archived": "the channel is archived",
    "is_inactive": "the channel is archived or frozen",
    "missing_scope": "the app lacks a scope; it needs chat:write, and channels:history or groups:history",
    "no_permission": "the token may not do this",
    "not_allowed_token_type": "this kind of token may not do this; use a bot token (xoxb-…)",
    "not_authed": "no token was sent",
    "not_in_channel": "the app is not in the channel; invite it there",
    "org_login_required": "the workspace is being moved to an organisation",
    "restricted_action": "a setting of the workspace forbids it",
    "restricted_action_non_threadable_channel": "the channel allows no threads",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_locked": "the thread is locked",
    "restricted_action_thread_only_channel": "the channel takes replies only",
    "team_access_not_granted": "the token is not for this workspace",
    "team_not_found": "a token of an organisation needs the channel's id, not its name",
    "token_expired": "the token has expired",
    "token_revoked": "the token was revoked",
    "two_factor_setup_required": "the token's account must set up two-factor authentication",
}
"""Errors of the configuration, with what to do; nothing is lost, the message waits."""

OF_OUR_PAYLOAD = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "block_mismatch",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "markdown_text_conflict",
        "message_limit_exceeded",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""Errors that the same message meets every time."""

OF_THE_MOMENT = frozenset(
    {
        "accesslimited",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "streaming_state_conflict",
        "team_added_to_org",
    }
)
"""Errors that pass, of calls that were not taken."""

TAKEN_PERHAPS = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that some of the operation may have succeeded."""

_HTTP_TOO_MANY = 429
_HTTP_BROKEN = 500
_QUIET = logging.getLogger("wavefleet.slack_sdk")
_QUIET.disabled = True  # The SDK would log each failure a second time, past our own log's form.


class SlackSaid(Exception):
    """An answer that its caller must judge: ``code`` is Slack's own word."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what it is and how its failures are to be read."""

    method: str
    arguments: Mapping[str, Any]
    judged: frozenset[str] = frozenset()
    """Errors that its caller wants to judge (raised as ``SlackSaid``)."""
    is_reading: bool = False
    """It looks for a message in doubt, so any failure leaves it in doubt."""
    attempts: int = 0
    """Earlier tries of the message."""


class SlackApi:
    """The five methods that reports need. Every method raises ReportDelayed or ReportRefused."""

    def __init__(self, token: str, base_url: str | None, limit_seconds: float) -> None:
        address = (base_url or WebClient.BASE_URL).rstrip("/") + "/"
        seconds = max(1, math.ceil(limit_seconds))
        self._client = WebClient(token, base_url=address, timeout=seconds, retry_handlers=[], logger=_QUIET)
        self._limit_seconds = seconds

    def post(self, channel: str, key: str, message: SlackMessage, thread_ts: str | None, attempts: int) -> str:
        """Post a message and return ``CHANNEL_ID:TS``. Raises SlackSaid where the thread is gone."""
        arguments: dict[str, Any] = {
            "channel": channel,
            **_content(message),
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
            "unfurl_links": False,
            "unfurl_media": False,
            **({} if thread_ts is None else {"thread_ts": thread_ts}),
        }
        call = Call("chat.postMessage", arguments, THREAD_GONE if thread_ts else frozenset(), attempts=attempts)
        answer = self._call(call)
        posted, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(posted, str) or not isinstance(ts, str):
            raise ReportDelayed("Slack: chat.postMessage answered ok without channel and ts", in_doubt=True)
        return f"{posted}:{ts}"

    def update(self, channel_id: str, ts: str, message: SlackMessage, attempts: int) -> None:
        """Replace a message's text and blocks. Raises SlackSaid where it cannot be edited."""
        arguments = {"channel": channel_id, "ts": ts, **_content(message)}
        self._call(Call("chat.update", arguments, NOT_EDITABLE, attempts=attempts))

    def find(self, channel_id: str, key: str, thread_ts: str | None) -> str | None:
        """Return ``CHANNEL_ID:TS`` of our message ``key``, in a thread or among the channel's own; None if not there.

        Raises SlackSaid where it may not look, cannot look far enough, or the thread is gone.
        """
        for row in self._rows(channel_id, thread_ts):
            metadata = row.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("key") == key:
                return f"{channel_id}:{row['ts']}"
        return None

    def _rows(self, channel_id: str, thread_ts: str | None) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(PAGES_MAX):
            page = self._call(_reading(channel_id, thread_ts, cursor))
            yield from page.get("messages") or ()
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return
        raise SlackSaid(TOO_FAR_BACK)

    def read_one(self, channel_id: str) -> None:
        """Read the channel's newest message. Raises SlackSaid where that is not allowed."""
        self._call(_reading(channel_id, None, "", rows=1))

    def whoami(self) -> Mapping[str, Any]:
        """Return what ``auth.test`` tells of the token."""
        return self._call(Call("auth.test", {}))

    def _call(self, call: Call) -> Mapping[str, Any]:
        try:
            answer = self._send(call)
        except SlackApiError as error:
            raise self._refusal(call, error) from None
        except (SlackClientError, URLError) as error:
            sentence = f"Slack: {call.method} could not be sent: {one_line(str(error))}"
            raise ReportDelayed(sentence, in_doubt=call.is_reading) from None
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            sentence = f"Slack: {call.method} was not answered within {self._limit_seconds} s or not to its end"
            told = f"{sentence} ({type(error).__name__})"
            raise ReportDelayed(told, retry_after_seconds=SETTLING_SECONDS, in_doubt=True) from None
        assert isinstance(answer.data, dict), "slack-sdk's validate() lets only objects through"
        return answer.data

    def _send(self, call: Call) -> SlackResponse:
        if call.is_reading:  # Reading methods take a form, no JSON.
            return self._client.api_call(call.method, params=dict(call.arguments))
        return self._client.api_call(call.method, json=dict(call.arguments))

    def _refusal(self, call: Call, error: SlackApiError) -> Exception:
        status, content = error.response.status_code, error.response.data
        code = str(content.get("error", "")) if isinstance(content, dict) else ""
        if status == _HTTP_TOO_MANY or code in OF_THE_MOMENT:
            asked = _seconds(error.response.headers)
            sentence = f"Slack: {call.method}: {code or 'ratelimited'}"
            return ReportDelayed(sentence, retry_after_seconds=asked, in_doubt=call.is_reading)
        if status >= _HTTP_BROKEN or code in TAKEN_PERHAPS or not _is_word(code):
            sentence = f"Slack: {call.method} answered {status} {cut(one_line(code), 80)}".rstrip()
            return ReportDelayed(sentence, in_doubt=True)
        if code in call.judged:
            return SlackSaid(code)
        return _by_code(call, code)


def _by_code(call: Call, code: str) -> Exception:
    sentence = f"Slack: {call.method}: {code}"
    if code in MENDED_BY_PERSONS:
        sentence = f"{sentence}: {MENDED_BY_PERSONS[code]}"
        return ReportDelayed(sentence, retry_after_seconds=MENDING_SECONDS, in_doubt=call.is_reading)
    if code in OF_OUR_PAYLOAD or call.attempts >= TRIES_OF_THE_UNKNOWN_MAX:
        return ReportRefused(sentence)
    return ReportDelayed(sentence, in_doubt=call.is_reading)


THREAD_GONE = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})
EDIT_CLOSED = frozenset({"edit_window_closed"})
NOT_EDITABLE = EDIT_CLOSED | {"message_not_found", "cant_update_message"}
TOO_FAR_BACK = "too_far_back"
"""Our own word: the message is not among the newest, and we look no further."""
MAY_NOT_LOOK = frozenset({"missing_scope", "not_allowed_token_type", "no_permission", "access_denied", TOO_FAR_BACK})
_JUDGED_WHEN_LOOKING = MAY_NOT_LOOK | THREAD_GONE


def _reading(channel_id: str, thread_ts: str | None, cursor: str, rows: int = PAGE_ROWS) -> Call:
    arguments = {"channel": channel_id, "limit": rows, "include_all_metadata": True}
    if cursor:
        arguments["cursor"] = cursor
    if thread_ts is None:
        return Call("conversations.history", arguments, _JUDGED_WHEN_LOOKING, is_reading=True)
    return Call("conversations.replies", {**arguments, "ts": thread_ts}, _JUDGED_WHEN_LOOKING, is_reading=True)


def _content(message: SlackMessage) -> dict[str, Any]:
    return {"text": message.text, "blocks": list(message.blocks)}


def _is_word(code: str) -> bool:
    """Tell Slack's own error codes from a page that something in between answered."""
    return bool(code) and code.replace("_", "").replace("-", "").isalnum() and code.isascii()


def _seconds(headers: Mapping[str, str]) -> float | None:
    asked = next((content for name, content in headers.items() if name.lower() == "retry-after"), "")
    try:
        return float(asked)
    except ValueError:
        return None
