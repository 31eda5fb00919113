"""A controller in a process of its own, for tests that kill it: ``python -m tests.ledger.controller_process``.

It takes the lease of the ledger it is given, says ``term N``, and then does what it is told: ``hold`` waits,
``record`` records one numbered batch after the other and says each number once that is recorded, ``attempt`` begins
to deliver a message and never ends.
"""

import sys
from pathlib import Path
from threading import Event

from controller.history.entries import ClusterConverged, StartAccepted
from controller.ledger.lease import this_process
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from tests.ledger.builders import NOON, SLACK, HandClock


def say(word: object) -> None:
    """Tell the test, at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def record(ledger: OpenLedger) -> None:
    """Record batches of two for ever; the pair shows whether a batch was torn."""
    number = 0
    while True:
        number += 1
        ledger.record([StartAccepted(number, "eu/a"), ClusterConverged(number, "eu/a")], NOON)
        say(number)


def attempt(ledger: OpenLedger) -> None:
    """Begin to deliver what is due."""
    delivery = ledger.outbox.due(SLACK, NOON)
    assert delivery is not None
    ledger.outbox.attempt(delivery, NOON)
    say("attempted")


def main(path: str, what: str) -> None:
    """Take the lease, waiting for it, and do ``what`` until killed."""
    ledger = open_ledger(Path(path))
    assert ledger.wait_for_lease(this_process(), HandClock(), Event(), say)
    say(f"term {ledger.term}")
    if what == "record":
        record(ledger)
    if what == "attempt":
        attempt(ledger)
    Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
