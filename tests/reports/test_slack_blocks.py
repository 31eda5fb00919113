"""How messages look in Slack, and that nothing from Git can ring people up, forge a link or break a limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.outbox import StatusState
from controller.reports.slack_blocks import (
    SECTION_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    SlackMessage,
    escape,
    head_message,
    reply_message,
)
from tests.fakes.slack_blocks import refusal, texts
from tests.reports.messages import REVISION, SENTENCE, a_head, a_reply


def shown(message: SlackMessage) -> list[str]:
    """Every text that a person reads."""
    return list(texts(list(message.blocks)))


def test_a_head_shows_title_sentence_progress_and_revision() -> None:
    """
    The first message of a thread says what a person needs without opening anything.
    """
    message = head_message(a_head(), "")

    assert [
        "⏳ prod-eu → 4.3.1",
        SENTENCE.replace(">", "&gt;"),
        "`▓▓▓▓▓▓▓░░░░░░░░░░░░░ 3/8`",
        "revision `3f2a91c0de`",
    ] == shown(message)
    assert message.text.startswith("⏳ prod-eu → 4.3.1: prod-eu → 4.3.1: wave 2/3 early")


def test_a_head_links_to_the_commit_where_a_link_is_configured() -> None:
    """
    The whole revision goes into the address, the short one is shown.
    """
    message = head_message(a_head(), "https://git.example.com/fleet/commit/{revision}")

    assert f"revision <https://git.example.com/fleet/commit/{REVISION}|`3f2a91c0de`>" == shown(message)[-1]


def test_observe_mode_is_said_plainly() -> None:
    """
    Nobody takes a rehearsal for the real thing, on the screen or in a notification.
    """
    message = head_message(a_head(observe_only=True), "")

    assert "Observe mode: nothing is written to any cluster." == shown(message)[-1]
    assert "nothing is written" in message.text


@pytest.mark.parametrize(
    ("state", "symbol"),
    [
        (StatusState.PENDING, "⏳"),
        (StatusState.SUCCESS, "✅"),
        (StatusState.FAILURE, "⛔"),
        (StatusState.ERROR, "⚠️"),
    ],
)
def test_each_state_has_its_symbol(state: StatusState, symbol: str) -> None:
    """
    A glance at the channel tells how a rollout stands.
    """
    assert f"{symbol} prod-eu → 4.3.1" == shown(head_message(a_head(state=state), ""))[0]


@pytest.mark.parametrize(
    ("done", "of", "bar"),
    [
        (0, 8, "`" + "░" * 20 + " 0/8`"),
        (1, 1000, "`▓" + "░" * 19 + " 1/1000`"),
        (999, 1000, "`" + "▓" * 19 + "░ 999/1000`"),
        (8, 8, "`" + "▓" * 20 + " 8/8`"),
        (9, 8, "`" + "▓" * 20 + " 8/8`"),
    ],
)
def test_the_bar_is_full_only_at_the_end(done: int, of: int, bar: str) -> None:
    """
    Begun is not empty, and not finished is not full.
    """
    assert bar == shown(head_message(a_head(done=done, of=of), ""))[2]


def test_a_rollout_without_clusters_has_no_bar() -> None:
    """
    Nothing to count, nothing drawn.
    """
    assert 3 == len(shown(head_message(a_head(done=0, of=0), "")))


def test_a_reply_that_needs_a_person_says_so_first() -> None:
    """
    Of a long sentence a notification shows the beginning.
    """
    message = reply_message(a_reply("halted after 2 failures", needs_person=True))

    assert "*A person must act:* halted after 2 failures" == message.text
    assert [message.text] == shown(message)


def test_text_from_git_cannot_ring_people_up_or_forge_a_link() -> None:
    """
    Mentions, links and code marks arrive as the characters they are.
    """
    hostile = "<!channel> <@U024BE7LH> <https://evil.example|click> @here & `rm`"
    escaped = escape(hostile)

    assert "&lt;!channel&gt; &lt;@U024BE7LH&gt; &lt;https://evil.example|click&gt; @\u200bhere &amp; 'rm'" == escaped
    for message in (head_message(a_head(hostile, title=hostile), ""), reply_message(a_reply(hostile))):
        for text in (message.text, *shown(message)):
            assert "<" not in text
            assert "@here" not in text or text.startswith("⏳"), "a header is plain text, without mentions"


def test_text_that_would_change_how_the_rest_is_shown_is_seen_as_question_marks() -> None:
    """
    Control characters of an old reason or a file name rewrite nothing, and turn no text around.
    """
    hostile = "INC-1\x1b[2J\x00\u202eevil\ttab\nline"

    assert "INC-1?[2J??evil\ttab\nline" == escape(hostile)
    for message in (head_message(a_head(hostile, title=hostile), ""), reply_message(a_reply(hostile))):
        for text in (message.text, *shown(message)):
            assert not {"\x1b", "\x00", "\u202e"} & set(text)


def test_a_cut_never_splits_an_escaped_character() -> None:
    """
    Half an entity would show as garbage.
    """
    assert "aa&amp;…" == escape("aa&&&&", 8)
    assert "aa…" == escape("aa&&&&", 7)
    assert "a&amp;" == escape("a&", 6), "what fits is not cut"


@given(
    st.text(max_size=6000) | st.text(alphabet="&<>`@", max_size=4000),
    st.text(max_size=400),
    st.integers(0, 20_000),
    st.integers(0, 20_000),
)
def test_slack_takes_whatever_is_said(sentence: str, title: str, done: int, of: int) -> None:
    """
    Safety: no text, however long or odd, makes a message that Slack refuses.
    """
    link = "https://git.example.com/commit/{revision}"
    head = head_message(a_head(sentence, title=title, done=done, of=of, observe_only=True), link)
    for message in (head, reply_message(a_reply(sentence, needs_person=True))):
        assert refusal(list(message.blocks)) is None
        assert 1 <= len(message.text) <= TEXT_CHARACTERS_MAX
        assert all(len(text) <= SECTION_CHARACTERS_MAX for text in shown(message))
