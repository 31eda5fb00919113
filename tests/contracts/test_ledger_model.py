"""The ledger in a file against the one in memory: whatever is done to both, they tell the same."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.errors import LedgerError
from controller.history.entries import ClusterConverged, Entry, RequestTaken, SoakCredited
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.outbox import Delivery, Message
from controller.model.requests import Command
from tests.ledger.builders import (
    GIT,
    MINUTE,
    NOON,
    SLACK,
    a_head,
    a_reply,
    a_request,
    a_rollout,
    a_start,
    a_status,
    a_wave,
)

KEYS = [f"k{number}" for number in range(12)]
CHANNELS = [GIT, SLACK]
CLUSTERS = ["eu/a", "eu/b", "us/a"]
GROUPS = ["prod-eu", "prod-us", "fleet"]
TOPICS = ["4f2a wavefleet/prod-eu", "4f2a wavefleet/fleet", "head rollout-1", "head rollout-2"]

_some_entry: st.SearchStrategy[Entry] = st.one_of(
    st.builds(SoakCredited, st.integers(1, 2), st.integers(1, 2), st.integers(0, 9).map(lambda n: n * MINUTE)),
    st.builds(a_rollout, st.integers(1, 3), st.sampled_from(GROUPS[:2])),
    st.builds(a_wave, st.integers(1, 3), st.integers(1, 2), st.lists(st.sampled_from(CLUSTERS)).map(tuple)),
    st.builds(a_start, st.integers(1, 3), st.sampled_from(CLUSTERS)),
    st.builds(ClusterConverged, st.integers(1, 3), st.sampled_from(CLUSTERS)),
    st.builds(RequestTaken, st.integers(1, 4), st.text(max_size=5)),
)
_some_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(a_status, st.sampled_from(KEYS), st.text(max_size=5), st.sampled_from(TOPICS[:2])),
    st.builds(a_head, st.sampled_from(KEYS), st.text(max_size=5), st.sampled_from(["rollout-1", "rollout-2"])),
    st.builds(a_reply, st.sampled_from(KEYS), st.text(max_size=5), st.sampled_from(["rollout-1", "rollout-2"])),
)
_later = st.integers(0, 30).map(lambda minutes: timedelta(minutes=minutes))


class LedgersAgree(RuleBasedStateMachine):
    """Safety: the simulation, which uses the one in memory, speaks for the daemon, which uses the one in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.db"
        self.file = self._open()
        self.memory = open_ledger(":memory:")
        self.now = NOON
        self.in_hand: list[tuple[Delivery, Delivery]] = []

    def _open(self) -> OpenLedger:
        ledger = open_ledger(self.path)
        assert ledger.acquire("test", NOON)
        return ledger

    @property
    def both(self) -> tuple[OpenLedger, OpenLedger]:
        """The file first."""
        return self.file, self.memory

    def teardown(self) -> None:
        """Compare what is slower to ask for, and leave nothing behind."""
        self.they_tell_the_same_story()
        self.they_said_the_same()
        self.file.close()
        self.folder.cleanup()

    @rule(entries=st.lists(_some_entry, max_size=4))
    def record(self, entries: Sequence[Entry]) -> None:
        """A cycle records."""
        for ledger in self.both:
            ledger.record(entries, self.now)

    @rule(command=st.sampled_from(Command), scope=st.sampled_from(GROUPS), number=st.none() | st.integers(1, 9))
    def ask(self, command: Command, scope: str, number: int | None) -> None:
        """A person asks."""
        first, second = (ledger.ask(replace(a_request(command, scope, number), at=self.now)) for ledger in self.both)
        assert first == second

    @rule(messages=st.lists(_some_message, max_size=4), reported=st.integers(0, 9))
    def queue(self, messages: Sequence[Message], reported: int) -> None:
        """A cycle reports."""
        for ledger in self.both:
            ledger.queue(messages, reported, self.now)

    @rule(channel=st.sampled_from(CHANNELS), most=st.integers(1, 3))
    def take(self, channel: str, most: int) -> None:
        """A channel asks for what is due."""
        first, second = (ledger.outbox.due_together(channel, self.now, most) for ledger in self.both)
        assert [replace(delivery, id=0) for delivery in first] == [replace(delivery, id=0) for delivery in second]
        self.in_hand += zip(first, second, strict=True)

    @precondition(lambda self: self.in_hand)
    @rule(choice=st.data())
    def attempt(self, choice: st.DataObject) -> None:
        """A try begins."""
        for ledger, delivery in zip(self.both, choice.draw(st.sampled_from(self.in_hand)), strict=True):
            ledger.outbox.attempt(delivery, self.now)

    @precondition(lambda self: self.in_hand)
    @rule(choice=st.data(), end=st.sampled_from(["delivered", "dropped"]))
    def end(self, choice: st.DataObject, end: str) -> None:
        """A message comes to its end, perhaps for the second time."""
        for ledger, delivery in zip(self.both, choice.draw(st.sampled_from(self.in_hand)), strict=True):
            if end == "delivered":
                ledger.outbox.delivered(delivery, f"about {delivery.message.key}", self.now)
            else:
                ledger.outbox.dropped(delivery, "refused", self.now)

    @precondition(lambda self: self.in_hand)
    @rule(choice=st.data(), wait=_later, in_doubt=st.booleans())
    def postpone(self, choice: st.DataObject, wait: timedelta, *, in_doubt: bool) -> None:
        """A channel is down."""
        for ledger, delivery in zip(self.both, choice.draw(st.sampled_from(self.in_hand)), strict=True):
            ledger.outbox.postponed(delivery, self.now + wait, "503", in_doubt=in_doubt)

    @rule(by=_later)
    def wait(self, by: timedelta) -> None:
        """Time goes by."""
        self.now += by

    @rule()
    def restart(self) -> None:
        """The daemon ends and starts again; what it had in hand stays in hand, as after a crash."""
        self.they_tell_the_same_story()
        self.they_said_the_same()
        self.file.close()
        self.file = self._open()
        self.memory.release()
        assert self.memory.acquire("test", NOON)

    @invariant()
    def they_remember_the_same(self) -> None:
        """Entries, commands and the cursor."""
        assert list(self.memory.read()) == list(self.file.read())
        assert self.memory.requests() == self.file.requests()
        assert self.memory.reported() == self.file.reported()
        assert self.memory.term == self.file.term
        for request in range(1, 5):
            assert outcome(self.memory, request) == outcome(self.file, request)

    def they_tell_the_same_story(self) -> None:
        """The history of each group and cluster."""
        for group in GROUPS:
            assert self.memory.history(group, limit=7) == self.file.history(group, limit=7)
        for cluster in CLUSTERS:
            assert self.memory.history(cluster=cluster, before=9) == self.file.history(cluster=cluster, before=9)

    def they_said_the_same(self) -> None:
        """References and last words."""
        assert still_waiting(self.memory) == still_waiting(self.file)
        for channel in CHANNELS:
            unfinished = [set(ledger.outbox.unfinished(channel)) for ledger in self.both]
            assert unfinished[0] == unfinished[1]
            for key in KEYS:
                assert self.memory.outbox.reference(channel, key) == self.file.outbox.reference(channel, key)
            for topic in TOPICS:
                assert self.memory.outbox.posted(channel, topic) == self.file.outbox.posted(channel, topic)


def still_waiting(ledger: OpenLedger) -> dict[str, int]:
    """Channels with messages, and how many."""
    return {channel: count for channel, count in ledger.outbox.waiting().items() if count}


def outcome(ledger: OpenLedger, request: int) -> str | None:
    """What came of a command, or that nobody asked."""
    try:
        return ledger.answer(request)
    except LedgerError:
        return "never asked"


pytestmark = pytest.mark.timeout(300)
TestLedgersAgree = LedgersAgree.TestCase
TestLedgersAgree.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # every step is synced to disk: shrinking takes minutes
)
TestLedgersAgree.__doc__ = "Safety: the ledger in a file and the one in memory cannot be told apart."
