"""Slack, where it is unlike other channels: threads, edits, looking back, and who must mend what."""

from collections.abc import Iterator

import pytest

from controller.errors import ReportDelayed, ReportRefused, SettingsError
from controller.model.outbox import StatusState
from controller.reports.slack import SlackChannel
from controller.reports.slack_api import MENDED_BY_PERSONS, OF_OUR_PAYLOAD, TRIES_OF_THE_UNKNOWN_MAX
from tests.fakes.slack import TOKEN, UNLIMITED, FakeSlack
from tests.reports.messages import a_delivery, a_head, a_reply, a_status


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """Slack with one channel, ``#fleet``, and no limits."""
    with FakeSlack(limits=UNLIMITED) as running:
        running.add_channel("fleet")
        yield running


@pytest.fixture
def channel(slack: FakeSlack) -> SlackChannel:
    """Our channel, by its id."""
    return a_channel(slack)


def a_channel(slack: FakeSlack, name: str = "C00000001", token: str = TOKEN) -> SlackChannel:
    """A channel as a new process makes it."""
    return SlackChannel(token, name, base_url=slack.api_url)


def methods(slack: FakeSlack) -> list[str]:
    """The methods that were called, in order."""
    return [call.path.rpartition("/")[2] for call in slack.calls]


def test_later_heads_edit_the_first_message_in_place(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    A thread has one first message, whose blocks are replaced whole; its reference stays.
    """
    reference = channel.deliver(a_delivery(a_head("wave 1/2")))
    again = channel.deliver(
        a_delivery(a_head("all soaked", done=8, state=StatusState.SUCCESS), "key-2", thread_reference=reference)
    )

    assert reference == again
    (thread,) = slack.threads("fleet")
    assert f"C00000001:{thread.parent.ts}" == reference
    assert ["✅ prod-eu → 4.3.1", "all soaked"] == thread.parent.shown.splitlines()[:2]
    assert ["⏳ prod-eu → 4.3.1: wave 1/2"] == thread.parent.earlier_texts


def test_replies_stand_below_the_first_message(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    Every reply hangs on the thread's first message, never on another reply.
    """
    reference = channel.deliver(a_delivery(a_head()))
    for number in range(3):
        channel.deliver(a_delivery(a_reply(f"reply {number}"), f"reply-{number}", thread_reference=reference))

    (thread,) = slack.threads("fleet")
    assert ["reply 0", "reply 1", "reply 2"] == [reply.text for reply in thread.replies]


def test_messages_ask_for_no_previews_and_carry_their_key(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    Links do not unfold, and a message can be recognised by its key ever after.
    """
    channel.deliver(a_delivery(a_head(), "fleet/7"))

    fields = slack.calls[0].fields()
    assert (False, False) == (fields["unfurl_links"], fields["unfurl_media"])
    assert {"event_type": "wavefleet", "event_payload": {"key": "fleet/7"}} == slack.messages[0].metadata


def test_a_channel_given_by_name_works_and_is_searched_once_its_id_is_known(slack: FakeSlack) -> None:
    """
    Slack answers a post with the channel's id; from then on a look is possible.
    """
    channel = a_channel(slack, "#fleet")
    channel.deliver(a_delivery(a_head(), "fleet/1"))
    channel.deliver(a_delivery(a_head(), "fleet/1", in_doubt=True))

    assert 1 == len(slack.messages)
    assert ["chat.postMessage", "conversations.history"] == methods(slack)


def test_what_cannot_be_looked_up_is_not_said_again(slack: FakeSlack) -> None:
    """
    A channel known by name alone, or a scope that is missing: in doubt, one message is dropped rather than repeated.
    """
    with pytest.raises(ReportRefused, match=r"not said again.*channel by its id"):
        a_channel(slack, "#fleet").deliver(a_delivery(a_reply(), in_doubt=True))
    slack.deny("missing_scope", only="conversations.history")
    with pytest.raises(ReportRefused, match=r"missing_scope.*channels:history"):
        a_channel(slack).deliver(a_delivery(a_reply(), in_doubt=True))

    assert [] == slack.messages


def test_a_look_goes_through_the_pages_and_ends(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    Among a thousand messages ours is found; behind more of them we do not claim that it is not there.
    """
    reference = channel.deliver(a_delivery(a_head(), "fleet/1"))
    for number in range(900):
        slack.say("fleet", f"chatter {number}")
    assert reference == channel.deliver(a_delivery(a_head(), "fleet/1", in_doubt=True))

    for number in range(200):
        slack.say("fleet", f"more chatter {number}")
    with pytest.raises(ReportRefused, match="too_far_back"):
        channel.deliver(a_delivery(a_head(), "fleet/1", in_doubt=True))
    assert 1 == len(slack.threads("fleet"))


def test_a_look_is_not_fooled_by_others(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    Only our own mark and the very key count, not the words.
    """
    channel.deliver(a_delivery(a_reply("the same words"), "fleet/1"))
    slack.say("fleet", "the same words")
    channel.deliver(a_delivery(a_reply("the same words"), "fleet/2", in_doubt=True))

    assert 2 == len(slack.threads("fleet"))


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message"])
def test_a_first_message_that_is_gone_is_posted_anew(slack: FakeSlack, channel: SlackChannel, error: str) -> None:
    """
    Deleted, or posted with another token: the thread goes on below a new first message, and is not begun twice.
    """
    reference = channel.deliver(a_delivery(a_head("old"), "fleet/1"))
    slack.deny(error, only="chat.update", times=2)
    anew = channel.deliver(a_delivery(a_head("new"), "fleet/2", thread_reference=reference))
    again = channel.deliver(a_delivery(a_head("new"), "fleet/2", thread_reference=reference, in_doubt=True))

    assert anew == again != reference
    assert ["old", "new"] == [thread.parent.text.rpartition(": ")[2] for thread in slack.threads("fleet")]


def test_an_edit_that_comes_too_late_is_dropped(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    A workspace that forbids late edits would get a new thread for every change of words; the replies go on instead.
    """
    reference = channel.deliver(a_delivery(a_head("old")))
    slack.deny("edit_window_closed", only="chat.update")
    with pytest.raises(ReportRefused, match="forbids late edits"):
        channel.deliver(a_delivery(a_head("new"), "fleet/2", thread_reference=reference))
    channel.deliver(a_delivery(a_reply("done"), "fleet/3", thread_reference=reference))

    (thread,) = slack.threads("fleet")
    assert ["done"] == [reply.text for reply in thread.replies]


def test_a_reply_whose_thread_is_gone_is_said_in_the_channel(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    Its sentence stands alone, so it is not lost with the thread; in doubt it is still said once.
    """
    gone = "C00000001:1770000999.000000"
    for in_doubt in (False, True, True):
        channel.deliver(a_delivery(a_reply("halted"), "fleet/2", thread_reference=gone, in_doubt=in_doubt))

    assert ["halted"] == [thread.parent.text for thread in slack.threads("fleet")]


def test_commit_statuses_are_not_for_slack(channel: SlackChannel) -> None:
    """
    They are refused and not posted as messages.
    """
    with pytest.raises(ReportRefused, match="commit statuses"):
        channel.deliver(a_delivery(a_status()))


@pytest.mark.parametrize("error", sorted(MENDED_BY_PERSONS))
def test_an_error_that_a_person_must_mend_waits_for_that(slack: FakeSlack, channel: SlackChannel, error: str) -> None:
    """
    Nothing is lost while a token, a scope or a membership is mended, and Slack is not asked every second.
    """
    slack.deny(error)
    with pytest.raises(ReportDelayed, match=error) as caught:
        channel.deliver(a_delivery(a_reply()))

    assert 300 == caught.value.retry_after_seconds
    assert not caught.value.in_doubt
    assert MENDED_BY_PERSONS[error] in str(caught.value)


@pytest.mark.parametrize("error", sorted(OF_OUR_PAYLOAD))
def test_a_payload_that_slack_never_takes_is_refused(slack: FakeSlack, channel: SlackChannel, error: str) -> None:
    """
    It would fail every time and hold up the rest.
    """
    slack.deny(error)
    with pytest.raises(ReportRefused, match=error):
        channel.deliver(a_delivery(a_reply()))


def test_a_wrong_token_is_told_without_showing_it(slack: FakeSlack) -> None:
    """
    The sentence names what is wrong; the token is in no error.
    """
    with pytest.raises(ReportDelayed, match=r"invalid_auth.*does not know the token") as caught:
        a_channel(slack, token="xoxb-very-secret").deliver(a_delivery(a_reply()))

    assert "very-secret" not in str(caught.value)


def test_an_error_of_no_known_kind_is_waited_out_and_then_dropped(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    A new error may pass; a channel that is blocked by one for ever would be worse than one message lost.
    """
    slack.deny("quite_new_error", times=2)
    with pytest.raises(ReportDelayed, match="quite_new_error"):
        channel.deliver(a_delivery(a_reply(), attempts=TRIES_OF_THE_UNKNOWN_MAX - 1))
    with pytest.raises(ReportRefused, match="quite_new_error"):
        channel.deliver(a_delivery(a_reply(), attempts=TRIES_OF_THE_UNKNOWN_MAX))


def test_retry_after_is_handed_on(slack: FakeSlack, channel: SlackChannel) -> None:
    """
    429 says how long to wait, and that nothing was taken.
    """
    slack.rate_limit(17)
    with pytest.raises(ReportDelayed) as caught:
        channel.deliver(a_delivery(a_reply()))

    assert (17.0, False) == (caught.value.retry_after_seconds, caught.value.in_doubt)
    assert 1 == len(slack.calls), "the SDK did not try again by itself"


def test_a_call_given_up_on_is_looked_for_only_after_it_had_time_to_arrive(slack: FakeSlack) -> None:
    """
    What is still on its way would not be found at once, and then be said twice.
    """
    channel = SlackChannel(TOKEN, "C00000001", base_url=slack.api_url, limit_seconds=1)
    slack.hang(only="chat.postMessage")
    with pytest.raises(ReportDelayed, match="not answered within 1 s") as caught:
        channel.deliver(a_delivery(a_reply()))

    assert (30, True) == (caught.value.retry_after_seconds, caught.value.in_doubt)


@pytest.mark.parametrize("error", ["fatal_error", "internal_error"])
def test_an_error_in_the_middle_leaves_doubt(slack: FakeSlack, channel: SlackChannel, error: str) -> None:
    """
    Slack says of these that some of it may have succeeded.
    """
    slack.deny(error)
    with pytest.raises(ReportDelayed) as caught:
        channel.deliver(a_delivery(a_reply()))

    assert caught.value.in_doubt


@pytest.mark.parametrize(
    ("channel_id", "link", "what"),
    [
        ("", "", "no channel"),
        ("C00000001", "https://git.example.com/commit/", "commit link"),
        ("C00000001", "javascript:{revision}", "commit link"),
        ("C00000001", "https://git.example.com/{revision}|x>", "commit link"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(channel_id: str, link: str, what: str) -> None:
    """
    A missing channel or a link without a place for the revision is told before anything is posted.
    """
    with pytest.raises(SettingsError, match=what):
        SlackChannel(TOKEN, channel_id, commit_url=link)


def test_check_tells_what_is_missing(slack: FakeSlack) -> None:
    """
    It tries the token and the look back, and posts nothing.
    """
    assert "reads C00000001" in a_channel(slack).check()
    assert "give the channel's id" in a_channel(slack, "#fleet").check()
    slack.deny("missing_scope", only="conversations.history")
    with pytest.raises(ReportRefused, match="channels:history"):
        a_channel(slack).check()
    with pytest.raises(ReportDelayed, match="invalid_auth"):
        a_channel(slack, token="xoxb-wrong").check()

    assert [] == slack.messages
