"""Apply: each recorded intention is written once, under its precondition, or given up; in doubt, look again.

What comes back is an entry: taken, not taken, or nothing at all, where only the next observation can tell.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from controller.errors import ApplyInDoubt, ApplyRefused, LeaseLost
from controller.history.entries import Entry, StartAccepted, StartWithdrawn
from controller.model.plan import Start
from controller.ports import Clock, FleetSource, Ledger, Metrics

WRITERS_MAX = 8

_log = structlog.get_logger(__name__)


class Applier:
    """Writes intentions to the live fleet."""

    def __init__(self, ledger: Ledger, clock: Clock, metrics: Metrics) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics

    def apply(self, starts: Sequence[Start], sources: Mapping[str, FleetSource]) -> tuple[Entry, ...]:
        """Ask for every start, some at a time, and return what became of those that we know of.

        Raises LeaseLost where another controller holds the ledger by now.
        """
        if not starts:
            return ()
        if len(starts) == 1:
            outcomes = [self._apply(starts[0], sources)]
        else:
            with ThreadPoolExecutor(max_workers=WRITERS_MAX, thread_name_prefix="write") as pool:
                outcomes = list(pool.map(lambda start: self._apply(start, sources), starts))
        return tuple(outcome for outcome in outcomes if outcome is not None)

    def _apply(self, start: Start, sources: Mapping[str, FleetSource]) -> Entry | None:
        log = _log.bind(cluster=start.cluster, target=str(start.target), group=start.group)
        source = sources.get(start.cluster.split("/", 1)[0])
        if source is None:
            return StartWithdrawn(start.rollout, start.cluster, "its source is not declared any more")
        if not self._ledger.holds_lease():
            raise LeaseLost(f"{start.cluster} was not started: another controller holds the ledger's lease")
        now = self._clock.now()
        if now >= start.expires_at:
            log.warning("start_expired", expires_at=start.expires_at.isoformat())
            return StartWithdrawn(start.rollout, start.cluster)
        began = time.monotonic()
        outcome: Entry | None = None
        try:
            source.start(start, now)
            outcome = StartAccepted(start.rollout, start.cluster)
            result = "ok"
            log.info("cluster_started")
        except ApplyRefused as error:
            outcome = StartWithdrawn(start.rollout, start.cluster, str(error))
            result = "refused"
            log.warning("start_refused", why=str(error))
        except ApplyInDoubt as error:
            result = "failed"
            log.warning("start_in_doubt", why=str(error))
        self._metrics.observe_call("source", result, time.monotonic() - began)
        return outcome
