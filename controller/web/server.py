"""Serve an app from a thread of its own, beside the cycle and never in its way.

The port is taken in the caller's thread, before the thread starts: a port that is in use is then a SettingsError at
start and not a line in a log. Uvicorn installs no signal handlers outside the main thread, so SIGTERM stays with the
daemon, which calls ``stop``.
"""

import errno
import socket
import threading
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from controller.errors import SettingsError

CONNECTIONS_MAX = 64
REQUEST_HEAD_BYTES_MAX = 16 << 10
KEEP_ALIVE_SECONDS = 5
STOP_SECONDS_MAX = 5
"""Requests that still run get so long at the end; after it they are cut off."""

_WHY = {
    errno.EADDRINUSE: "an address that another process listens on",
    errno.EADDRNOTAVAIL: "an address that is not one of this machine",
    errno.EACCES: "a port that this user may not take",
}


class WebServer:
    """A server for one app; starts once, stops once."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(_configuration(app))
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on, the real one where 0 was asked for; only while started."""
        assert self._socket is not None, "the server is not started"
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Take the port and answer from now on. Raises SettingsError where the port cannot be had."""
        self._socket = _listen(self._host, self._port)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, let those that run end, and return; within about ``STOP_SECONDS_MAX``."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(2 * STOP_SECONDS_MAX)
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _serve(self) -> None:
        assert self._socket is not None, "started before the port was taken"
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    where = f"WAVEFLEET_LISTEN: found {host}:{port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise SettingsError(
            f"{where}, a host that has no address ({error.strerror}), expected one of this machine"
        ) from None
    except OSError as error:
        why = _WHY.get(error.errno or 0, f"an address that cannot be used ({error.strerror})")
        raise SettingsError(f"{where}, {why}, expected a free one, or off; set another WAVEFLEET_LISTEN") from None


def _configuration(app: ASGIApp) -> uvicorn.Config:
    # Named one by one, so that a faster protocol library that happens to be installed changes nothing.
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=REQUEST_HEAD_BYTES_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )
