"""The daemon: one cycle after another at the poll interval, never two at once, until it is told to leave.

It waits for the ledger's lease first, so that a second daemon stands by and says so. Told to leave, it finishes the
cycle in hand. What only concerns one cycle (a remote or a ledger that fails) is logged and tried again in the next; a
lost lease and a bug end the daemon, since going on could do harm.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Lock

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from controller.errors import ControllerError, IllegalTransition, LeaseLost
from controller.ports import Clock, CycleEnd, Lease, Metrics

STUCK_INTERVALS = 10
"""A cycle that takes longer than so many poll intervals, and at least STUCK_MIN, is stuck: not alive any more."""
STUCK_MIN = timedelta(minutes=5)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often cycles run."""

    interval: timedelta
    jitter: timedelta
    """Each interval is longer by chance, up to this: daemons that start together do not poll together."""


class Daemon:
    """Runs cycles until told to stop; its standing is asked by probes from other threads.

    ``before_release`` is called once no cycle runs any more: what must be recorded under the lease ends there.
    """

    def __init__(
        self,
        run_cycle: Callable[[], object],
        rhythm: Rhythm,
        clock: Clock,
        metrics: Metrics,
        before_release: Callable[[], object] = lambda: None,
    ) -> None:
        self._run_cycle = run_cycle
        self._before_release = before_release
        self._rhythm = rhythm
        self._clock = clock
        self._metrics = metrics
        self._stop = Event()
        self._lock = Lock()
        self._began: datetime | None = None
        """Start of the cycle in hand; None between cycles."""
        self._ended: datetime | None = None
        self._last_error = ""
        self._standby = ""
        self._fatal: BaseException | None = None

    def stop(self) -> None:
        """Leave after the cycle in hand; called from any thread, but from no signal handler."""
        self._stop.set()

    @property
    def stopping(self) -> Event:
        """Set once the daemon is to leave."""
        return self._stop

    def run(self, lease: Lease, owner: str) -> None:
        """Stand by for the lease, then run cycles until told to stop.

        Raises LeaseLost where another process took over, and whatever bug ended a cycle.
        """
        if not lease.wait_for_lease(owner, self._clock, self._stop, self._stand_by):
            return
        self._standby = ""
        self._metrics.observe_lease(held=True)
        scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
        trigger = IntervalTrigger(
            seconds=self._rhythm.interval.total_seconds(), jitter=self._rhythm.jitter.total_seconds() or None
        )
        scheduler.add_job(
            self.run_once,
            trigger,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=self._clock.now(),
        )
        scheduler.start()
        self._stop.wait()
        _log.info("daemon_stopping", cycle_in_hand=self._began is not None)
        scheduler.shutdown(wait=True)
        self._before_release()
        self._metrics.observe_lease(held=False)
        lease.release()
        if self._fatal is not None:
            raise self._fatal

    def run_once(self) -> None:
        """Run one cycle, and keep what came of it for probes and metrics."""
        if self._stop.is_set():
            return
        with self._lock:
            self._began = self._clock.now()
        self._metrics.observe_cycle_start(self._began)
        began = time.monotonic()
        error = self._attempt()
        ended = self._clock.now()
        with self._lock:
            self._began, self._ended, self._last_error = None, ended, error
        duration = timedelta(seconds=time.monotonic() - began)
        self._metrics.observe_cycle(CycleEnd("failed" if error else "ok", duration, ended))

    def _attempt(self) -> str:
        try:
            self._run_cycle()
        except (LeaseLost, IllegalTransition, AssertionError) as error:
            self._leave(error)
            return str(error) or type(error).__name__
        except ControllerError as error:
            _log.error("cycle_failed", why=str(error))
            return str(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours: it must end the daemon, not only the job
            self._leave(error)
            return repr(error)
        return ""

    def _leave(self, error: BaseException) -> None:
        _log.critical("daemon_failed", exc_info=error)
        self._fatal = error
        self._stop.set()

    def _stand_by(self, sentence: str) -> None:
        self._standby = sentence
        self._metrics.observe_lease(held=False)
        _log.warning("standing_by", why=sentence)

    def why_not_alive(self) -> str | None:
        """Return why the process should be restarted; None while all is well."""
        with self._lock:
            began, ended = self._began, self._ended
        now = self._clock.now()
        limit = max(STUCK_INTERVALS * self._rhythm.interval, STUCK_MIN)
        if began is not None and now - began > limit:
            return f"the cycle that began {began.isoformat()} has not ended within {limit.total_seconds():g} s"
        if began is None and ended is not None and now - ended > limit:
            return f"no cycle has begun since {ended.isoformat()}"
        return None

    def why_not_ready(self) -> str | None:
        """Return why nothing is being judged at present; None while cycles succeed."""
        if self._standby:
            return self._standby
        with self._lock:
            if self._ended is None:
                return "the first cycle has not ended yet"
            return self._last_error or None
