"""Our credentials at one API server, read anew where the server does not take them any more.

The official client reads a token file once, and runs a login program again only where that said when its token ends, at
every call and from each thread by itself. Here one thread logs in for all who wait, none waits longer than its own time
limit, and a server that refuses whatever we show makes nobody run a login program at every call.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from kubernetes.client import ApiClient

from controller.errors import ObservationError
from controller.kube.faults import Unanswered

FIRST_SECONDS_MAX = 2.0
"""So long the one waits who opens a connection; a login program that is slower is waited for by the first calls."""
AGAIN_SECONDS = 5.0
"""From the end of one login to the begin of the next, where that did not help."""
HANGS_SECONDS = 60.0
"""A login that takes longer hangs: another one is begun beside it."""
HANGING_MAX = 3
"""Logins that hang at once; each keeps a thread, and a login program."""

Connect = Callable[[], ApiClient]
"""Reads who we are, and returns a client that knows; nothing is asked yet. Raises ObservationError."""


class Login:
    """The newest client; for several threads at once."""

    def __init__(self, connect: Connect, name: str) -> None:
        """Log in; raises ObservationError where that fails at once."""
        self._connect = connect
        self._name = name
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._pending: Future[ApiClient] | None = None
        self._began_at = float("-inf")
        """When that login began."""
        self._running = 0
        """Logins that have not ended, those that hang included."""
        self._again_at = float("-inf")
        self._failure = ""
        """Why the last login failed."""
        with suppress(TimeoutError):  # it goes on meanwhile
            self._begin().result(FIRST_SECONDS_MAX)

    def client(self, deadline: float) -> ApiClient:
        """Return the newest client. Raises Unanswered where there is none by then."""
        client = self.renewed(None, deadline)
        if client is None:
            raise Unanswered(self._failure, may_have_arrived=False)
        return client

    def renewed(self, refused: ApiClient | None, deadline: float) -> ApiClient | None:
        """Return a client that is newer than ``refused``, whose credentials the server does not take.

        None where the last login was only a moment ago. Raises Unanswered where there is none by then.
        """
        with self._lock:
            if self._client is not refused:
                return self._client
            pending = self._pending
            if pending is None and time.monotonic() < self._again_at:
                return None
            if pending is None or self._hangs():
                pending = self._begin()
        try:
            return pending.result(max(deadline - time.monotonic(), 0.0))
        except ObservationError as error:
            raise Unanswered(str(error), may_have_arrived=False) from error
        except TimeoutError:
            why = f"{self._name}: logging in takes too long; check the login program of the kubeconfig"
            raise Unanswered(why, may_have_arrived=False) from None

    def close(self) -> None:
        """Let go of every connection that is not in use."""
        with self._lock:
            if self._client is not None:
                self._client.rest_client.close()

    def _hangs(self) -> bool:
        """Tell whether the login in hand is given up, and another one may be begun beside it."""
        return time.monotonic() - self._began_at > HANGS_SECONDS and self._running < HANGING_MAX

    def _begin(self) -> "Future[ApiClient]":
        """Log in on a thread of its own: a login program that hangs must keep neither a caller nor the process."""
        pending = self._pending = Future()
        self._began_at, self._running = time.monotonic(), self._running + 1
        threading.Thread(target=self._log_in, args=(pending,), name=f"login-{self._name}", daemon=True).start()
        return pending

    def _log_in(self, pending: "Future[ApiClient]") -> None:
        try:
            made = self._connect()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the client gets it
            with self._lock:
                self._running -= 1
                if self._pending is pending:
                    self._pending, self._failure = None, str(error)
                    self._again_at = time.monotonic() + AGAIN_SECONDS
            pending.set_exception(error)
            return
        with self._lock:
            self._running -= 1
            if self._pending is pending:
                self._pending, before, self._client = None, self._client, made
                if before is not None:
                    self._again_at = time.monotonic() + AGAIN_SECONDS
                    before.rest_client.close()
            else:
                made.rest_client.close()  # it hung, and another one took its place
        pending.set_result(made)
