"""Slack: one thread per rollout, its first message edited in place, replies below it, nothing said twice.

Each message carries its key as metadata, since Slack knows no idempotency: after a crash or a time-out the channel's
history is searched for the key, and only what is not there is sent. What to do when that cannot be done, and when a
message cannot be edited, is decided here:

- The history may not be read (a scope is missing, a channel given by name): the message in doubt is dropped with its
  reason. Said twice is worse than one reply missing; the thread's next edit shows the state anyway.
- The first message is gone, or belongs to another token: the thread starts anew, and later messages follow it there.
- The workspace closed the edit window: the edit is dropped. Posting it anew would make a new thread of every change.
- A reply's thread is gone: the reply goes to the channel itself, since its sentence stands alone.
"""

import re

from controller.errors import ReportRefused, SettingsError
from controller.model.outbox import CommitStatus, Delivery, ThreadHead, ThreadReply
from controller.reports.slack_api import EDIT_CLOSED, MAY_NOT_LOOK, SlackApi, SlackSaid
from controller.reports.slack_blocks import SlackMessage, head_message, reply_message

SECONDS_BETWEEN = 1.2
"""Keeps both limits at once: about one message a second and channel, and fifty edits a minute."""
LIMIT_SECONDS = 10.0

_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{2,20}")
_COMMIT_URL = re.compile(r"https?://[^\s<>|]*\{revision\}[^\s<>|]*")


class SlackChannel:
    """Says things in one Slack channel (its id, or its name, which cannot be searched after a crash)."""

    name = "slack"
    seconds_between = SECONDS_BETWEEN

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        base_url: str | None = None,
        limit_seconds: float = LIMIT_SECONDS,
        commit_url: str = "",
    ) -> None:
        if not token or not channel:
            raise SettingsError("Slack: found no token or no channel, expected both: a bot token and the channel's id")
        if commit_url and not _COMMIT_URL.fullmatch(commit_url):
            raise SettingsError(
                f"Slack: commit link: found {commit_url!r}, expected an address such as https://HOST/commit/{{revision}}"
            )
        self._api = SlackApi(token, base_url, limit_seconds)
        self._channel = channel
        self._channel_id = channel if _CHANNEL_ID.fullmatch(channel) else ""
        self._commit_url = commit_url

    def deliver(self, delivery: Delivery) -> str:
        """Say one thing and return ``CHANNEL_ID:TS``. Raises ReportDelayed or ReportRefused."""
        match delivery.message.body:
            case ThreadHead() as head:
                reference = self._deliver_head(delivery, head_message(head, self._commit_url))
            case ThreadReply() as reply:
                reference = self._deliver_reply(delivery, reply_message(reply))
            case CommitStatus():
                raise ReportRefused("Slack takes no commit statuses; they belong on a forge or in Git notes")
        self._channel_id = reference.partition(":")[0]
        return reference

    def check(self) -> str:
        """Return a sentence about the token and the channel. Raises ReportError where something is missing."""
        who = self._api.whoami()
        if not self._channel_id:
            return f"Slack: {who.get('user')} of {who.get('team')}; give the channel's id, so that it can be searched"
        try:
            self._api.read_one(self._channel_id)
        except SlackSaid as error:
            raise _unsearchable(error.code) from None
        return f"Slack: {who.get('user')} of {who.get('team')} reads {self._channel_id}"

    def _deliver_head(self, delivery: Delivery, message: SlackMessage) -> str:
        reference = delivery.thread_reference
        if reference is not None:
            channel_id, ts = _parts(reference)
            try:
                self._api.update(channel_id, ts, message, delivery.attempts)
            except SlackSaid as error:
                if error.code in EDIT_CLOSED:
                    raise ReportRefused(f"Slack: chat.update: {error.code}: the workspace forbids late edits") from None
            else:
                return reference
        return self._say_once(delivery, message, None)

    def _deliver_reply(self, delivery: Delivery, message: SlackMessage) -> str:
        if delivery.thread_reference is None:
            return self._say_once(delivery, message, None)
        try:
            return self._say_once(delivery, message, _parts(delivery.thread_reference)[1])
        except SlackSaid:
            return self._say_once(delivery, message, None)

    def _say_once(self, delivery: Delivery, message: SlackMessage, thread_ts: str | None) -> str:
        """Post, or where an earlier try may have done so, look first. Raises SlackSaid where the thread is gone."""
        key = delivery.message.key
        said = self._find(delivery, thread_ts) if delivery.in_doubt else None
        return said or self._api.post(self._target(delivery), key, message, thread_ts, delivery.attempts)

    def _find(self, delivery: Delivery, thread_ts: str | None) -> str | None:
        channel_id = self._known_id(delivery)
        if not channel_id:
            raise _unsearchable("the channel was given by its name")
        try:
            return self._api.find(channel_id, delivery.message.key, thread_ts)
        except SlackSaid as error:
            if error.code in MAY_NOT_LOOK:
                raise _unsearchable(error.code) from None
            raise

    def _target(self, delivery: Delivery) -> str:
        return self._known_id(delivery) or self._channel

    def _known_id(self, delivery: Delivery) -> str:
        if delivery.thread_reference is not None:
            return _parts(delivery.thread_reference)[0]
        return self._channel_id


def _parts(reference: str) -> tuple[str, str]:
    channel_id, _, ts = reference.partition(":")
    return channel_id, ts


def _unsearchable(why: str) -> ReportRefused:
    return ReportRefused(
        f"Slack: cannot look whether this was said before a crash or a time-out ({why}), so it is not said again; "
        "give the channel by its id and the app the scope channels:history (groups:history for a private channel)"
    )
