"""The daemon told to leave more than once: it leaves once, in order, and soon."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes.worlds import World
from tests.real.git_server import GitServer


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_being_told_twice_does_no_harm(tmp_path: Path, again: signal.Signals) -> None:
    """
    The cycle in hand is still finished, the exit code is 0, no trace is left, and the ledger is free for the next one.
    """
    world = World(tmp_path)
    with GitServer(tmp_path / "remote") as server, world.daemon(repository=server.url("fleet.git")) as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        server.hang()
        server.forget()
        server.await_requests(1)
        daemon.ask_to_leave()
        daemon.await_for(lambda: bool(daemon.lines("daemon_stopping")), "the daemon to hear of it")
        for _ in range(3):
            os.kill(daemon.pid, again)
        server.behave()

        assert 0 == daemon.stop()
        assert "Traceback" not in daemon.text()

        daemon.start()
        daemon.await_for(lambda: len(daemon.lines("web_started")) == 2 and daemon.is_ready(), "a cycle of the next one")
        assert 0 == daemon.stop()
    assert [] == daemon.lines("standing_by")
