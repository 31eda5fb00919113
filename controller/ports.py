"""What the runtime asks of the outside: one Protocol per outside system, in the words of the model.

Every call returns within the time limit it was built with, and raises only errors of ``controller.errors``.
One contract suite per port runs on every implementation (``tests/contracts``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol, runtime_checkable

from controller.history.entries import Entry, Recorded
from controller.history.records import History, RolloutKind
from controller.model.declaration import Declaration, ExternalGate
from controller.model.health import Health
from controller.model.observation import GateReading, ObservedCluster, Reading, SourceReading, Unknown
from controller.model.outbox import CommitStatus, Delivery, Message, Posted
from controller.model.plan import Plan, Start
from controller.model.requests import Request
from controller.model.snapshot import Standing
from controller.versions import Target


class Clock(Protocol):
    """The only source of the time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The branch's newest revision, as the remote just confirmed it."""

    revision: str
    descends: bool
    """It descends from the revision asked about; True where none was asked about."""


class Repository(Protocol):
    """The fleet repository."""

    def fetch(self, since: str | None) -> Head:
        """Ask the remote for the branch's head and bring it here, with its history back to ``since``.

        One ``ls-remote`` where the head is already here. Raises RepositoryError.
        """
        ...

    def load(self, revision: str) -> Declaration:
        """Return what a revision that is here declares.

        Raises DeclarationError where it is refused, RepositoryError where it is not here.
        """
        ...

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        """Return, for each group whose target changed after ``since``, the newest first-parent revision that did it.

        Empty where ``since`` is not here. Raises RepositoryError.
        """
        ...


class FleetSource(Protocol):
    """One source of live clusters, reading and writing."""

    @property
    def name(self) -> str:
        """The source's name, the first part of its clusters' full names."""
        ...

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster of this source; those in ``full`` with their health.

        A source that cannot be read raises ObservationError; a cluster that cannot is Unknown.
        """
        ...

    def start(self, start: Start, now: datetime) -> None:
        """Ask for ``start.target``, on the condition that the cluster is still in the state ``start.token``.

        Returning means that the wish was taken. Doing it twice is harmless. Raises ApplyRefused where nothing
        began (changed meanwhile, gone, not allowed), ApplyInDoubt where only an observation can tell.
        """
        ...


@runtime_checkable
class NeedsRights(Protocol):
    """A source that must be given rights of several kinds, of which reading alone shows only some."""

    def missing_rights(self) -> Sequence[str]:
        """Return what it will need and may not do, each in a few words. Raises ObservationError."""
        ...

    def missing_sights(self) -> Sequence[str]:
        """Return what it may not do and can do without, each with what is then not seen. Raises ObservationError."""
        ...


@runtime_checkable
class ToldOfChanges(Protocol):
    """A source that is told of changes as they happen; who rests there is not read in full in turn."""

    @property
    def is_told_of_changes(self) -> bool:
        """Whether that is so."""
        ...


class Sources(Protocol):
    """The sources of live clusters that a declaration names."""

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        """Return them in the declared order; what did not change since the last call is the same object.

        One that cannot be set up now is there all the same, and raises ObservationError when it is read. Raises
        SettingsError where one never can be.
        """
        ...


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """May this go on? What an external gate is asked about."""

    fleet: str
    group: str
    target: Target
    kind: RolloutKind
    at: datetime
    """The cycle's own time."""


class ExternalGates(Protocol):
    """The outside systems that groups name under ``gates``; asked from many threads at once."""

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Return what the gate's system answers; no usable answer is a reading too, so only a bug raises."""
        ...


class BrokerHealth(Protocol):
    """Asks the brokers of live clusters how they are; from many threads at once."""

    def examine(self, cluster: ObservedCluster, health: Health) -> Reading | Unknown:
        """Return what the cluster showed, and what its brokers say of it now.

        Unknown where they do not answer, or contradict what the cluster showed; so only a bug raises. What each
        finding does to a start is judged elsewhere: ``health`` tells only what to ask about.
        """
        ...


@dataclass(frozen=True, slots=True)
class CycleEnd:
    """How one cycle went."""

    result: str
    """``ok``, ``failed`` or ``standby`` (another controller holds the ledger's lease)."""
    duration: timedelta
    ended_at: datetime


class Metrics(Protocol):
    """Counts what it is told; never raises, never waits."""

    def observe_cycle_start(self, at: datetime) -> None:
        """Tell that a cycle began."""
        ...

    def observe_cycle(self, end: CycleEnd) -> None:
        """Tell that a cycle ended."""
        ...

    def observe_standing(self, standing: Standing) -> None:
        """Tell how the declaration in force stands to its branch."""
        ...

    def observe_plan(self, plan: Plan, history: History) -> None:
        """Tell where groups and clusters stand."""
        ...

    def observe_call(self, system: str, outcome: str, seconds: float) -> None:
        """Tell that a call to an outside system ended: ``ok``, ``refused``, ``delayed`` or ``failed``."""
        ...

    def observe_outbox(self, waiting: Mapping[str, int]) -> None:
        """Tell how many messages wait, by channel."""
        ...

    def observe_lease(self, *, held: bool) -> None:
        """Tell whether this process holds the ledger's lease."""
        ...


class Ledger(Protocol):
    """The append-only memory of one fleet. Every method raises LedgerError; writing ones LeaseLost too."""

    def bind(self, fleet: str) -> None:
        """Make this the ledger of ``fleet`` where it belongs to none yet; refuse where it belongs to another."""
        ...

    def read(self, after: int = 0) -> Iterable[Recorded]:
        """Yield the entries with a sequence number above ``after``, oldest first."""
        ...

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Append all of ``entries`` or none, as the holder of the newest term."""
        ...

    def holds_lease(self) -> bool:
        """Tell whether this process still holds the newest term; asked before each write to a cluster."""
        ...

    def requests(self) -> tuple[Request, ...]:
        """Return people's commands that no entry has taken in yet, oldest first."""
        ...

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox and remember that entries up to ``reported`` were told, all or nothing.

        A message whose key its channel has already seen is passed over.
        """
        ...

    def reported(self) -> int:
        """Return the sequence number up to which entries were told to people."""
        ...


class Lease(Protocol):
    """The right to write to a ledger; one process has it at a time. Every method raises LedgerError."""

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Take the lease as soon as nobody else holds it; False where ``stop`` was set first.

        ``on_wait`` gets a sentence that names the holder, once for each holder.
        """
        ...

    def release(self) -> None:
        """Let another process have the lease."""
        ...


class Outbox(Protocol):
    """The queue between the ledger and the channels, used by the threads that deliver."""

    def due(self, channel: str, now: datetime) -> Delivery | None:
        """Return the oldest message of ``channel`` if its time has come; later ones wait for it."""
        ...

    def due_together(self, channel: str, now: datetime, most: int) -> tuple[Delivery, ...]:
        """Return the oldest message as ``due`` does, with those queued right behind it, at most ``most`` in all."""
        ...

    def attempt(self, delivery: Delivery, now: datetime) -> None:
        """Remember that delivery is being tried, before it is: after a crash it is then in doubt."""
        ...

    def delivered(self, delivery: Delivery, reference: str, now: datetime) -> None:
        """Remember that the channel took it; ``reference`` is the channel's own name for it."""
        ...

    def postponed(self, delivery: Delivery, until: datetime, why: str, *, in_doubt: bool = False) -> None:
        """Try again at ``until``; ``in_doubt`` tells whether this try may have been taken all the same."""
        ...

    def dropped(self, delivery: Delivery, why: str, now: datetime) -> None:
        """Never try again; ``why`` stays readable."""
        ...

    def reference(self, channel: str, key: str) -> str | None:
        """Return the channel's name for the delivered message ``key``."""
        ...

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages wait for each channel; one without any may be left out."""
        ...

    def unfinished(self, channel: str) -> Sequence[CommitStatus]:
        """Return the commit statuses that are the last word on their topic and neither success nor error."""
        ...

    def posted(self, channel: str, topic: str) -> Posted | None:
        """Return what was queued last for ``topic`` (a commit status's revision and context, a thread's head)."""
        ...


class Channel(Protocol):
    """One way to reach people. Called from its own thread, one message at a time, oldest first."""

    @property
    def name(self) -> str:
        """Such as ``slack``; bounded, for metrics."""
        ...

    def check(self) -> str:
        """Try the channel with the rights that delivering needs, saying nothing to anybody; a sentence on what it is.

        Raises ReportError with what is missing.
        """
        ...

    def deliver(self, delivery: Delivery) -> str:
        """Send one message and return the channel's own name for it.

        ``delivery.in_doubt`` says that an earlier try may have been taken: look first, send only if it is not
        there. Raises ReportDelayed (try later) or ReportRefused (never).
        """
        ...


@runtime_checkable
class PacedChannel(Channel, Protocol):
    """A channel whose other side limits how often it may be called."""

    @property
    def seconds_between(self) -> float:
        """The shortest time between the ends of two deliveries."""
        ...


@runtime_checkable
class JoiningChannel(Channel, Protocol):
    """A channel for which several messages at once cost no more than one, such as one push for many Git notes."""

    @property
    def most_together(self) -> int:
        """How many messages one call may bring."""
        ...

    def deliver_together(self, deliveries: Sequence[Delivery]) -> str:
        """Send all of them or none, oldest first, as ``deliver`` does."""
        ...
