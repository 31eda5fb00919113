"""Stops a server as a hung one is: its connections stay open, and nothing is answered."""

import signal
import subprocess
import time
from pathlib import Path

_STOP_SECONDS_MAX = 30
_POLL_SECONDS = 0.05


def freeze(process: "subprocess.Popen[bytes]") -> None:
    """Stop ``process``, and wait until it stands still; SIGCONT lets it go on."""
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "it does not stop"
        time.sleep(_POLL_SECONDS)
