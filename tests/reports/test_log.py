"""The log channel writes one structured line per message, with its key."""

import structlog

from controller.model.outbox import Body
from controller.reports.log import LogChannel
from tests.reports.messages import GROUP_CONTEXT, REVISION, SENTENCE, THREAD, a_delivery, a_head, a_reply, a_status


def test_every_kind_of_message_is_one_line() -> None:
    """
    A status, a first message, a reply, and one that needs a person, which stands out as a warning.
    """
    channel = LogChannel()
    bodies: tuple[Body, ...] = (a_status("w"), a_head(), a_reply("r"), a_reply("p", needs_person=True))
    with structlog.testing.capture_logs() as lines:
        for number, body in enumerate(bodies):
            assert f"key-{number}" == channel.deliver(a_delivery(body, f"key-{number}"))

    assert [
        {
            "event": "commit_status",
            "key": "key-0",
            "log_level": "info",
            "revision": REVISION,
            "context": GROUP_CONTEXT,
            "state": "pending",
            "description": "w",
        },
        {
            "event": "rollout_told",
            "key": "key-1",
            "log_level": "info",
            "thread": THREAD,
            "title": "prod-eu → 4.3.1",
            "sentence": SENTENCE,
            "done": 3,
            "of": 8,
            "state": "pending",
        },
        {
            "event": "rollout_reply",
            "key": "key-2",
            "log_level": "info",
            "thread": THREAD,
            "text": "r",
            "needs_person": False,
        },
        {
            "event": "rollout_reply",
            "key": "key-3",
            "log_level": "warning",
            "thread": THREAD,
            "text": "p",
            "needs_person": True,
        },
    ] == lines
    assert "log" in channel.check()
