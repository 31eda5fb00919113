"""The fake of Slack behaves to slack_sdk as Slack is documented to: threads, limits, refusals, bad days."""

from collections.abc import Callable, Iterator
from http.client import RemoteDisconnected
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import HeaderBlock, SectionBlock

from tests.fakes.loopback import ManualClock
from tests.fakes.slack import TOKEN, UNLIMITED, FakeSlack, Limits


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """A Slack without rate limits and with the channel ``kafka``."""
    with FakeSlack(limits=UNLIMITED) as running:
        running.add_channel("kafka")
        yield running


def client(slack: FakeSlack, token: str = TOKEN) -> WebClient:
    """The real client, without its own retries: it repeats a lost call, and so duplicates a message."""
    return WebClient(token, base_url=slack.api_url, timeout=5, retry_handlers=[])


def error_of(refused: pytest.ExceptionInfo[SlackApiError]) -> str:
    """The name of Slack's refusal."""
    return str(refused.value.response["error"])


def section(text: str) -> dict[str, Any]:
    """A section block as JSON."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_one_thread_is_kept_together_and_edited_in_place(slack: FakeSlack) -> None:
    """
    A message, two replies and an edit are one thread, whose parent remembers what it said before.
    """
    web = client(slack)
    blocks = [HeaderBlock(text="payments"), SectionBlock(text="wave 1 of 2")]
    posted = web.chat_postMessage(channel="#kafka", text="payments: wave 1", blocks=blocks)
    for text in ("wave 1 converged", "wave 2 started"):
        web.chat_postMessage(channel="kafka", text=text, thread_ts=posted["ts"])
    web.chat_update(channel=posted["channel"], ts=posted["ts"], text="payments: done", blocks=[section("done")])
    thread = slack.threads("kafka")[0]

    assert 1 == len(slack.threads())
    assert ["wave 1 converged", "wave 2 started"] == [reply.text for reply in thread.replies]
    assert ("done", ["payments: wave 1"]) == (thread.parent.shown, thread.parent.earlier_texts)


def test_metadata_finds_a_message_again(slack: FakeSlack) -> None:
    """
    History shows metadata only when asked, keeps it over an edit without any, and shows no replies.
    """
    web = client(slack)
    metadata = {"event_type": "wavefleet_rollout", "event_payload": {"rollout": "payments-1"}}
    posted = web.chat_postMessage(channel="kafka", text="one", metadata=metadata)
    web.chat_postMessage(channel="kafka", text="reply", thread_ts=posted["ts"])
    web.chat_update(channel=posted["channel"], ts=posted["ts"], text="two")
    bare = web.conversations_history(channel=posted["channel"])["messages"]
    full = web.conversations_history(channel=posted["channel"], include_all_metadata=True)["messages"]

    assert [("two", None)] == [(row["text"], row.get("metadata")) for row in bare]
    assert [("two", metadata)] == [(row["text"], row.get("metadata")) for row in full]


def test_history_and_replies_come_in_pages(slack: FakeSlack) -> None:
    """
    History runs from the newest, a thread from its parent; the cursor leads through all pages, each row once.
    """
    web = client(slack)
    channel = slack.add_channel("paged")
    parent = web.chat_postMessage(channel=channel, text="0")["ts"]
    for number in range(1, 5):
        web.chat_postMessage(channel=channel, text=str(number))
        web.chat_postMessage(channel=channel, text=f"reply {number}", thread_ts=parent)
    history = [row["text"] for page in web.conversations_history(channel=channel, limit=2) for row in page["messages"]]
    replies = [
        row["text"]
        for page in web.conversations_replies(channel=channel, ts=parent, limit=3)
        for row in page["messages"]
    ]

    assert ["4", "3", "2", "1", "0"] == history
    assert ["0", "reply 1", "reply 2", "reply 3", "reply 4"] == replies


def test_a_channel_takes_one_message_a_second() -> None:
    """
    A second message within the second is answered 429 and when to come again; another channel is not concerned.
    """
    clock = ManualClock()
    with FakeSlack(clock=clock) as slack:
        one, other = slack.add_channel("one"), slack.add_channel("other")
        client(slack).chat_postMessage(channel=one, text="first")
        with pytest.raises(SlackApiError) as refused:
            client(slack).chat_postMessage(channel=one, text="second")
        client(slack).chat_postMessage(channel=other, text="elsewhere")
        clock.advance(1)
        client(slack).chat_postMessage(channel=one, text="third")

    assert (429, "1") == (refused.value.response.status_code, refused.value.response.headers["Retry-After"])
    assert ["first", "elsewhere", "third"] == [message.text for message in slack.messages]


def test_updates_are_limited_by_the_minute() -> None:
    """
    The update beyond the minute's number is told to wait until the first of them is a minute old.
    """
    clock = ManualClock()
    with FakeSlack(clock=clock, limits=Limits(updates_per_minute=2)) as slack:
        slack.add_channel("kafka")
        posted = client(slack).chat_postMessage(channel="kafka", text="0")
        for text in ("1", "2"):
            client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text=text)
            clock.advance(10)
        with pytest.raises(SlackApiError) as refused:
            client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text="3")

    assert "40" == refused.value.response.headers["Retry-After"]


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([section("x" * 3001)], "invalid_blocks"),
        ([section("x")] * 51, "invalid_blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "invalid_blocks"),
        ([{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}], "invalid_blocks"),
        ([{"type": "poem"}], "invalid_blocks"),
        ([section("x" * 2900)] * 5, "msg_blocks_too_long"),
        ("[", "invalid_blocks_format"),
    ],
)
def test_blocks_past_a_limit_are_refused(slack: FakeSlack, blocks: object, error: str) -> None:
    """
    Each documented limit of Block Kit is one too far at one more, and nothing is posted.
    """
    with pytest.raises(SlackApiError) as refused:
        client(slack).api_call("chat.postMessage", json={"channel": "kafka", "text": "x", "blocks": blocks})

    assert error == error_of(refused)
    assert [] == slack.messages


def test_blocks_at_the_limits_are_taken(slack: FakeSlack) -> None:
    """
    Fifty blocks, one of them a section of exactly 3,000 characters, pass.
    """
    blocks: list[dict[str, Any]] = [section("x" * 3000), *[{"type": "divider"}] * 49]
    client(slack).chat_postMessage(channel="kafka", text="x", blocks=blocks)

    assert 50 == len(slack.messages[0].blocks)


def test_what_cannot_be_posted_is_refused_by_name(slack: FakeSlack) -> None:
    """
    Each wrong call gets the error that the reference names for it, as HTTP 200.
    """
    away, old = slack.add_channel("away", is_member=False), slack.add_channel("old")
    slack.archive("old")
    kafka = client(slack).chat_postMessage(channel="kafka", text="x")["channel"]
    theirs = slack.say("kafka", "hello")
    expected: dict[str, Callable[[], object]] = {
        "invalid_auth": lambda: client(slack, "xoxb-wrong").auth_test(),
        "channel_not_found": lambda: client(slack).chat_postMessage(channel="nowhere", text="x"),
        "not_in_channel": lambda: client(slack).chat_postMessage(channel=away, text="x"),
        "is_archived": lambda: client(slack).chat_postMessage(channel=old, text="x"),
        "no_text": lambda: client(slack).api_call("chat.postMessage", json={"channel": kafka}),
        "thread_not_found": lambda: client(slack).chat_postMessage(channel=kafka, text="x", thread_ts="1.0"),
        "message_not_found": lambda: client(slack).chat_update(channel=kafka, ts="1.0", text="x"),
        "cant_update_message": lambda: client(slack).chat_update(channel=kafka, ts=theirs, text="x"),
        "msg_too_long": lambda: client(slack).chat_update(
            channel=kafka, ts=slack.messages[0].ts, text="x" * 4001, blocks=[section("x")]
        ),
    }
    for error, call in expected.items():
        with pytest.raises(SlackApiError) as refused:
            call()
        assert (error, 200) == (error_of(refused), refused.value.response.status_code)


def test_an_update_needs_the_channel_s_id(slack: FakeSlack) -> None:
    """
    A channel's name, good for posting, is not found by an update.
    """
    posted = client(slack).chat_postMessage(channel="kafka", text="x")
    with pytest.raises(SlackApiError) as refused:
        client(slack).chat_update(channel="kafka", ts=posted["ts"], text="y")

    assert "channel_not_found" == error_of(refused)


def test_bad_days_come_one_after_another(slack: FakeSlack) -> None:
    """
    A limit, a broken server, a proxy's page and a refusal each meet one call and take nothing; then it works.
    """
    slack.rate_limit(30)
    slack.fail(500)
    slack.garble()
    slack.deny("fatal_error", only="chat.postMessage")
    seen: list[tuple[int, str | None]] = []
    for _ in range(4):
        with pytest.raises(SlackApiError) as refused:
            client(slack).chat_postMessage(channel="kafka", text="x")
        seen.append((refused.value.response.status_code, refused.value.response.headers.get("Retry-After")))
    client(slack).chat_postMessage(channel="kafka", text="x")

    assert [(429, "30"), (500, None), (200, None), (200, None)] == seen
    assert 1 == len(slack.messages)


def test_a_lost_answer_leaves_the_message(slack: FakeSlack) -> None:
    """
    When the connection drops after the call was taken, the client fails and the message is there.
    """
    slack.drop_after_taking()
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        client(slack).chat_postMessage(channel="kafka", text="x")

    assert ["x"] == [message.text for message in slack.messages]


def test_silence_ends_in_the_client_s_time_limit(slack: FakeSlack) -> None:
    """
    A call that is never answered takes nothing, and the client's own limit ends it.
    """
    slack.hang()
    web = WebClient(TOKEN, base_url=slack.api_url, timeout=1, retry_handlers=[])
    with pytest.raises(TimeoutError):
        web.chat_postMessage(channel="kafka", text="x")
    slack.recover()

    assert [] == slack.messages
    assert "wavefleet" == client(slack).auth_test()["user"]
