"""Builders of what a ledger stores: entries, requests and messages, a usable whole by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from controller.history.entries import ClusterStarted, Entry, RolloutPlanned, WaveAdmitted
from controller.history.records import RolloutKind
from controller.model.outbox import Body, CommitStatus, Message, StatusState, ThreadHead, ThreadReply
from controller.model.requests import Command, Request
from controller.versions import KafkaVersion, MetadataVersion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
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


def a_wave(
    rollout: int = 1, wave: int = 1, clusters: tuple[str, ...] = ("eu/a", "eu/b"), group: str = "prod-eu"
) -> WaveAdmitted:
    """An admitted wave."""
    return WaveAdmitted(rollout=rollout, group=group, wave=wave, name="rest", tail=False, clusters=clusters)


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
_MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
_OWN: dict[object, st.SearchStrategy[Any]] = {KafkaVersion: _RELEASES, MetadataVersion: _LEVELS, datetime: _MOMENTS}


def entries() -> st.SearchStrategy[Entry]:
    """Any entry, with any fields."""
    return st.one_of([_any(kind) for kind in get_args(Entry)])


def bodies() -> st.SearchStrategy[Body]:
    """Anything that can be said."""
    return st.one_of([_any(kind) for kind in get_args(Body)])


def _any(kind: type) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: _value(hint) for name, hint in get_type_hints(kind).items()})


def _value(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  annotations have no common type
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        if Ellipsis in parts:
            return st.lists(_value(parts[0]), max_size=3).map(tuple)
        return st.tuples(*map(_value, parts))
    if get_origin(hint) is Mapping:
        return st.dictionaries(*map(_value, parts), max_size=3)
    if parts:
        return st.one_of([_value(part) for part in parts])
    return _OWN[hint] if hint in _OWN else st.from_type(hint)


@dataclass(slots=True)
class Heard:
    """Remembers what it was told."""

    sentences: list[str] = field(default_factory=list)
    then: Callable[[], None] = lambda: None
    """What to do whenever it was told something."""

    def __call__(self, sentence: str) -> None:
        """Remember ``sentence``."""
        self.sentences.append(sentence)
        self.then()
