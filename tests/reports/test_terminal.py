"""The terminal shows what a Slack thread and a forge would, once, and harms nobody's screen."""

import io

import pytest

from controller.errors import ReportDelayed
from controller.model.outbox import Body, StatusState
from controller.reports.terminal import TerminalChannel
from tests.reports.messages import a_delivery, a_head, a_reply, a_status


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def printed(*bodies: Body) -> str:
    """What a stream that is no terminal gets."""
    stream = io.StringIO()
    channel = TerminalChannel(stream)
    for number, body in enumerate(bodies):
        channel.deliver(a_delivery(body, f"key-{number}"))
    return stream.getvalue()


def test_a_thread_looks_like_one() -> None:
    """
    The first message in a frame, each edit of it a line, the replies indented, statuses a line each.
    """
    shown = printed(
        a_head("prod-eu → 4.3.1: wave 1/2"),
        a_reply("wave 1 started"),
        a_status("3 of 8 clusters done"),
        a_reply("halted: H1\nacknowledge: [H1]", needs_person=True),
        a_head("prod-eu → 4.3.1: wave 2/2"),
        a_head("halted", state=StatusState.FAILURE, observe_only=True),
    )

    assert (
        """
┏ ⏳ prod-eu → 4.3.1
┃ prod-eu → 4.3.1: wave 1/2
┃ ▓▓▓▓▓▓▓░░░░░░░░░░░░░ 3/8
┃ revision 3f2a91c0de
  ↳ wave 1 started
⏳ 3f2a91c0de  wavefleet/prod-eu: pending: 3 of 8 clusters done
  ↳ A person must act: halted: H1
    acknowledge: [H1]
┃ ⏳ ▓▓▓▓▓▓▓░░░░░░░░░░░░░ 3/8 prod-eu → 4.3.1: wave 2/2
┃ ⛔ ▓▓▓▓▓▓▓░░░░░░░░░░░░░ 3/8 prod-eu → 4.3.1: halted Observe mode: nothing is written to any cluster.
"""
        == shown
    )


def test_a_reply_below_another_thread_names_its_own() -> None:
    """
    Two rollouts at once stay apart on one screen.
    """
    shown = printed(
        a_head("staging: soaking", thread="rollout-1", title="staging → 4.3.1"),
        a_head("prod: held", thread="rollout-2", title="prod → 4.3.1"),
        a_reply("wave 1 has soaked", thread="rollout-1"),
        a_reply("done", thread="rollout-1"),
    )

    assert "  ↳ staging → 4.3.1: wave 1 has soaked\n  ↳ done\n" in shown


def test_colours_are_for_terminals_alone() -> None:
    """
    A file or a pipe gets plain text; a screen gets the same words in colour.
    """
    screen = Screen()
    TerminalChannel(screen).deliver(a_delivery(a_reply("halted", needs_person=True)))

    assert "\x1b[" not in printed(a_head(), a_status(), a_reply())
    assert "\x1b[1;31m  ↳ A person must act: halted" in screen.getvalue()


def test_names_cannot_move_the_cursor() -> None:
    """
    Control characters out of Git reach no terminal.
    """
    shown = printed(a_reply("\x1b[2Jgone\r\x07"), a_head("a\x1b]0;title\x07", title="x\x9b"))

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown


def test_a_stream_with_a_poor_encoding_still_gets_the_words() -> None:
    """
    What it cannot show becomes a question mark.
    """
    paper = io.BytesIO()
    stream = io.TextIOWrapper(paper, encoding="ascii")
    TerminalChannel(stream).deliver(a_delivery(a_reply("wave 1 → soaked")))

    assert b"  ? wave 1 ? soaked\n" == paper.getvalue()


def test_a_closed_stream_is_a_delay() -> None:
    """
    A terminal that went away loses nothing; the words wait in the ledger.
    """
    stream = io.StringIO()
    channel = TerminalChannel(stream)
    stream.close()
    with pytest.raises(ReportDelayed, match="cannot print"):
        channel.deliver(a_delivery(a_reply()))


def test_what_was_printed_is_not_printed_again() -> None:
    """
    The key counts, so two messages with the same words are two.
    """
    stream = io.StringIO()
    channel = TerminalChannel(stream, name="demo")
    for key in ("a", "a", "b"):
        channel.deliver(a_delivery(a_reply("once"), key, in_doubt=True))

    assert 2 == stream.getvalue().count("once")
    assert "demo" == channel.name
    assert "printed" in channel.check()
