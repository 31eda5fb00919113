"""A ledger of plain Python lists, for plans without a history and for simulations: nothing is encoded or kept.

It keeps the promises of the one in a database (one contract suite runs on both) but for those that need a file: it
holds its lease from the start, and ends with its process.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from threading import Event

from controller.errors import LeaseLost, LedgerError
from controller.history.entries import Entry, Recorded, RequestTaken, RolloutPlanned, SoakCredited
from controller.ledger.about import Context, about, concerns
from controller.ledger.lease import Holder
from controller.ledger.memory_outbox import MemoryOutbox
from controller.ledger.opened import another_fleet
from controller.model.outbox import Message
from controller.model.requests import Request
from controller.ports import Clock

_WHERE = "ledger in memory"
_FIRST = Holder(1, "this process", datetime(1970, 1, 1, tzinfo=UTC))


class MemoryLedger:
    """See ``opened.OpenLedger``."""

    def __init__(self, fleet: str | None = None) -> None:
        self._turn = threading.RLock()
        self._fleet = fleet
        self._holder = _FIRST
        self._holds = True
        self._recorded: list[tuple[Recorded, str | None] | None] = []
        """The entry with sequence number n, and its group, at n - 1; None where soak credit was superseded."""
        self._group_of_rollout: dict[int, str] = {}
        self._soaks: dict[tuple[int, int], int] = {}
        """Rollout and wave to the place of the newest soak credit."""
        self._requests: dict[int, Request] = {}
        self._outcomes: dict[int, str] = {}
        self._reported = 0
        self._outbox = MemoryOutbox(self._turn, self._require)

    @property
    def outbox(self) -> MemoryOutbox:
        """The queue of messages in this ledger."""
        return self._outbox

    @property
    def term(self) -> int | None:
        """1 from the start, one more with each new ``acquire``."""
        return self._holder.term if self._holds else None

    def acquire(self, owner: str, at: datetime) -> bool:
        """Take the lease, which nobody else can hold."""
        if not self._holds:
            self._holder = Holder(self._holder.term + 1, owner, at)
            self._holds = True
        return True

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Take the lease at once; ``on_wait`` is never called."""
        del on_wait
        return not stop.is_set() and self.acquire(owner, clock.now())

    def release(self) -> None:
        """Record nothing more until the next ``acquire``."""
        self._holds = False

    def holder(self) -> Holder | None:
        """Return who took the lease last."""
        return self._holder

    def holds_lease(self) -> bool:
        """Tell whether the lease is taken."""
        return self._holds

    def bind(self, fleet: str) -> None:
        """Make this the ledger of ``fleet``; LedgerError where it is another's."""
        if self._fleet == fleet:
            return
        if self._fleet is not None:
            raise LedgerError(another_fleet(_WHERE, self._fleet, fleet))
        self._require()
        self._fleet = fleet

    def fleet(self) -> str | None:
        """Return the fleet that this ledger belongs to."""
        return self._fleet

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Append all of ``entries``."""
        if not entries:
            return
        with self._turn:
            self._require()
            for entry in entries:
                self._append(entry, at)

    def _append(self, entry: Entry, at: datetime) -> None:
        if isinstance(entry, RolloutPlanned):
            self._group_of_rollout[entry.rollout] = entry.group
        if isinstance(entry, SoakCredited):
            superseded = self._soaks.get((entry.rollout, entry.wave))
            if superseded is not None:
                self._recorded[superseded] = None
            self._soaks[entry.rollout, entry.wave] = len(self._recorded)
        if isinstance(entry, RequestTaken) and entry.request in self._requests:
            self._outcomes[entry.request] = entry.outcome
        words = about(entry, Context(self._group_of_rollout.get, self._scope_of_request))
        self._recorded.append((Recorded(len(self._recorded) + 1, at, entry), words.group))

    def _scope_of_request(self, request: int) -> str | None:
        asked = self._requests.get(request)
        return None if asked is None else asked.scope

    def read(self, after: int = 0) -> Iterator[Recorded]:
        """Yield the entries with a sequence number above ``after``, oldest first."""
        with self._turn:
            there = self._recorded[max(after, 0) :]
        return (item[0] for item in there if item is not None)

    def history(
        self, group: str | None = None, cluster: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[Recorded]:
        """Return the newest ``limit`` entries of a group, a cluster, both or all, oldest of them first."""
        with self._turn:
            there = self._recorded[: None if before is None else max(before - 1, 0)]
        newest = (
            item[0]
            for item in reversed(there)
            if item is not None
            and (group is None or item[1] == group)
            and (cluster is None or concerns(item[0].entry, cluster))
        )
        return list(islice(newest, limit))[::-1]

    def ask(self, request: Request) -> int:
        """Append a person's command and return its id."""
        with self._turn:
            number = len(self._requests) + 1
            self._requests[number] = replace(request, id=number)
            return number

    def requests(self) -> tuple[Request, ...]:
        """Return people's commands that no entry has taken in yet, oldest first."""
        with self._turn:
            return tuple(request for number, request in self._requests.items() if number not in self._outcomes)

    def answer(self, request: int) -> str | None:
        """Return what came of a command; None until a cycle took it in."""
        if request not in self._requests:
            raise LedgerError(f"{_WHERE}: found no request {request}; ask again")
        return self._outcomes.get(request)

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox and remember that entries up to ``reported`` were told."""
        with self._turn:
            self._require()
            self._outbox.put(messages, at)
            self._reported = max(self._reported, reported)

    def reported(self) -> int:
        """Return the sequence number up to which entries were told to people."""
        return self._reported

    def close(self) -> None:
        """Release the lease."""
        self.release()

    def _require(self) -> None:
        if not self._holds:
            raise LeaseLost(f"{_WHERE}: found no lease of this process, expected it to be taken before writing")
