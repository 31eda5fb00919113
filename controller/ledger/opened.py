"""What ``open_ledger`` hands back: the runtime's Ledger, with what its owner and the command line need beside it."""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Protocol

from controller.history.entries import Recorded
from controller.ledger.lease import Holder
from controller.model.requests import Request
from controller.ports import Clock, Ledger, Outbox


class OpenLedger(Ledger, Protocol):
    """An open ledger. Every method raises LedgerError; ``bind`` LeaseLost too where it writes."""

    @property
    def outbox(self) -> Outbox:
        """The queue of messages in this ledger; its writing methods need the lease as ``record`` does."""
        ...

    @property
    def term(self) -> int | None:
        """This process's term; None while it never took the lease."""
        ...

    def acquire(self, owner: str, at: datetime) -> bool:
        """Take the lease as ``owner`` with a new term, or tell that another process holds it; never waits.

        True as well, without a new term, where this ledger holds it already. Brings an older schema up to date.
        """
        ...

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Take the lease as soon as nobody else holds it; False where ``stop`` was set first.

        ``on_wait`` gets a sentence that names the holder, once for each holder.
        """
        ...

    def release(self) -> None:
        """Let another process have the lease; this one can record no more until it takes it again."""
        ...

    def holder(self) -> Holder | None:
        """Return who took the lease last, alive or not; None before the first."""
        ...

    def bind(self, fleet: str) -> None:
        """Make this the ledger of ``fleet`` where it belongs to none yet; refuse where it belongs to another."""
        ...

    def fleet(self) -> str | None:
        """Return the name of the fleet that this ledger belongs to; None before the first ``bind``."""
        ...

    def ask(self, request: Request) -> int:
        """Append a person's command and return its id (``request.id`` is not looked at). Needs no lease."""
        ...

    def answer(self, request: int) -> str | None:
        """Return what came of a command, once a cycle took it in; None until then. Needs no lease."""
        ...

    def history(
        self, group: str | None = None, cluster: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[Recorded]:
        """Return the newest ``limit`` entries of a group, a cluster (full name), both or all, oldest of them first.

        ``group`` is also ``fleet`` for its halts. ``before`` is the sequence number of the oldest entry already
        shown, to go further back.
        """
        ...

    def close(self) -> None:
        """Release the lease and the file."""
        ...


def another_fleet(where: str, found: str, expected: str) -> str:
    """Return the sentence that refuses another fleet's ledger."""
    return (
        f"{where}: found the ledger of fleet {found!r}, expected one of {expected!r}: a ledger belongs to one fleet"
        " name; give this fleet a ledger of its own, or take its name back"
    )
