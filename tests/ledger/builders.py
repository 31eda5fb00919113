"""Builders of what a ledger stores: entries, requests and messages, a usable whole by default."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import strategies as st

from controller.model.entries import ClusterStarted, Entry, RolloutPlanned, WaveAdmitted
from controller.model.history import RolloutKind
from controller.model.outbox import Body, CommitStatus, Message, StatusState, ThreadHead, ThreadReply
from controller.model.requests import Command, Request
from controller.model.versions import KafkaVersion, MetadataVersion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

OLD = KafkaVersion(4, 1, 2)
NEW = KafkaVersion(4, 3, 1)

GIT = "git-notes"
SLACK = "slack"


@dataclass(slots=True)
class HandClock:
    """A clock that a test sets."""

    at: datetime = NOON

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.at


def a_rollout(rollout: int = 1, group: str = "prod-eu", clusters: tuple[str, ...] = ("eu/a", "eu/b")) -> RolloutPlanned:
    """A software rollout of ``group`` in one wave."""
    return RolloutPlanned(
        rollout, group, RolloutKind.SOFTWARE, NEW, "4f2a", len(clusters), clusters, (("rest", clusters),)
    )


def a_wave(rollout: int = 1, wave: int = 1, clusters: tuple[str, ...] = ("eu/a", "eu/b")) -> WaveAdmitted:
    """An admitted wave."""
    return WaveAdmitted(rollout, wave, "rest", tail=False, clusters=clusters)


def a_start(rollout: int = 1, cluster: str = "eu/a") -> ClusterStarted:
    """An intention to start one cluster."""
    return ClusterStarted(rollout, cluster, OLD, NEW, "17", NOON + 2 * MINUTE)


def a_request(command: Command = Command.HALT, scope: str = "prod-eu", number: int | None = None) -> Request:
    """A person's command that was not asked yet."""
    return Request(0, command, scope, "ana", "INC-4711", NOON, number)


def a_status(key: str, words: str = "wave 1/3", topic: str = "4f2a wavefleet/prod-eu", channel: str = GIT) -> Message:
    """A commit status."""
    revision, context = topic.split(" ")
    return Message(channel, key, topic, CommitStatus(revision, context, StatusState.PENDING, words))


def a_head(key: str, sentence: str = "wave 1/3", thread: str = "rollout-1") -> Message:
    """The first message of a rollout's thread."""
    head = ThreadHead(thread, "prod-eu → 4.3.1", sentence, 0, 2, StatusState.PENDING, "4f2a")
    return Message(SLACK, key, f"head {thread}", head)


def a_reply(key: str, text: str = "wave 1 has soaked", thread: str = "rollout-1") -> Message:
    """One reply in a rollout's thread."""
    return Message(SLACK, key, f"reply {thread} {key}", ThreadReply(thread, text))


_RELEASES = st.builds(
    KafkaVersion,
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.from_regex(r"([a-z0-9.]{1,40})?", fullmatch=True),
)
_LEVELS = st.builds(MetadataVersion, st.integers(0, 40), st.text(max_size=20), st.booleans())
_MOMENTS = st.datetimes(timezones=st.sampled_from([UTC]))

st.register_type_strategy(KafkaVersion, _RELEASES)
st.register_type_strategy(MetadataVersion, _LEVELS)
st.register_type_strategy(datetime, _MOMENTS)


def entries() -> st.SearchStrategy[Entry]:
    """Any entry, with any fields."""
    return st.one_of([st.from_type(kind) for kind in get_args(Entry)])


def bodies() -> st.SearchStrategy[Body]:
    """Anything that can be said."""
    return st.one_of([st.from_type(kind) for kind in get_args(Body)])


@dataclass(slots=True)
class Heard:
    """Remembers what it was told."""

    sentences: list[str] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def __call__(self, sentence: str) -> None:
        self.sentences.append(sentence)
        self.then()
