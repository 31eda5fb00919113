"""The log as a channel: every status and every reply as one structured line.

It is the record for whoever has neither Slack nor a forge, and for a search over both. A line in a log cannot be taken
back or looked up, so one that a crash leaves in doubt may stand there twice; its ``key`` tells.
"""

from typing import Any

import structlog

from controller.model.outbox import CommitStatus, Delivery, ThreadHead, ThreadReply

_log = structlog.get_logger(__name__)


class LogChannel:
    """Writes messages to the log at level info, and at level warning where a person must act."""

    name = "log"

    def deliver(self, delivery: Delivery) -> str:
        """Write one line and return the message's key."""
        message = delivery.message
        event, fields = _told(message.body)
        needs_person = isinstance(message.body, ThreadReply) and message.body.needs_person
        write = _log.warning if needs_person else _log.info
        write(event, key=message.key, **fields)
        return message.key

    def check(self) -> str:
        """Return a sentence; a log needs no rights."""
        return "log: statuses and replies are written to it"


def _told(body: CommitStatus | ThreadHead | ThreadReply) -> tuple[str, dict[str, Any]]:
    match body:
        case CommitStatus():
            told = {"state": body.state.value, "description": body.description}
            return "commit_status", {"revision": body.revision, "context": body.context, **told}
        case ThreadHead():
            where = {"thread": body.thread, "title": body.title, "sentence": body.sentence}
            return "rollout_told", {**where, "done": body.done, "of": body.of, "state": body.state.value}
        case ThreadReply():
            return "rollout_reply", {"thread": body.thread, "text": body.text, "needs_person": body.needs_person}
