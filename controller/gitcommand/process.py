"""Takes a started program's output within bounds of time and size, and ends it with everything it started.

The program leads a process group of its own. It is reaped only after its group was ended, so that the group's number
cannot meanwhile belong to somebody else. It knows nothing of Git.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time

_CHUNK_BYTES = 64 * 1024
_ERROR_BYTES_MAX = 64 * 1024
_GRACE_SECONDS = 1.0
_REAP_SECONDS = 5.0


class TooMuchOutput(Exception):
    """The program printed more than its caller takes."""


def collect(process: subprocess.Popen[bytes], limit_seconds: float, output_bytes_max: int) -> tuple[bytes, bytes]:
    """Return what ``process`` printed on stdout and the beginning of stderr, once it has ended.

    However this function ends, the process and its group have been ended and reaped and the pipes are closed. Raises
    TimeoutError after ``limit_seconds`` and TooMuchOutput.
    """
    deadline = time.monotonic() + limit_seconds
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as closing:
        for stream in (process.stdout, process.stderr):
            assert stream is not None, "both pipes were asked for"
            closing.enter_context(stream)
            selector.register(stream, selectors.EVENT_READ, bytearray())
        output, words = (key.data for key in selector.get_map().values())
        try:
            _read(selector, deadline, output, output_bytes_max)
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            if process.returncode is None:
                _end(process, selector)
        return bytes(output), bytes(words[:_ERROR_BYTES_MAX])


def _read(selector: selectors.BaseSelector, deadline: float, output: bytearray, output_bytes_max: int) -> None:
    """Read both pipes until they end."""
    while selector.get_map():
        ready = selector.select(max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        for key, _ in ready:
            chunk = os.read(key.fd, _CHUNK_BYTES)
            if not chunk:
                selector.unregister(key.fileobj)
            elif key.data is output or len(key.data) < _ERROR_BYTES_MAX:
                key.data.extend(chunk)
        if len(output) > output_bytes_max:
            raise TooMuchOutput


def _end(process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
    """Ask the group to end, wait until it has closed its pipes, and then kill what is left of it."""
    _signal(process, signal.SIGTERM)
    _drain(selector, time.monotonic() + _GRACE_SECONDS)
    _signal(process, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # a process in the kernel's hands ends when that lets go
        process.wait(_REAP_SECONDS)


def _drain(selector: selectors.BaseSelector, until: float) -> None:
    while selector.get_map():
        ready = selector.select(max(0.0, until - time.monotonic()))
        if not ready:
            return
        for key, _ in ready:
            if not os.read(key.fd, _CHUNK_BYTES):
                selector.unregister(key.fileobj)


def _signal(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, by)
