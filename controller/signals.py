"""Being told to leave: SIGTERM and Ctrl-C, heard by a thread that waits for nothing else.

Python runs a signal's handler in the main thread between two of its instructions. One that sets an ``Event`` stops
there for ever if the main thread was just inside that event's own lock, as it is at each begin and end of
``Event.wait``; and a signal that the kernel gives to another thread does not end a wait at all. So handlers here do
next to nothing, and a thread gets the numbers through the descriptor of ``signal.set_wakeup_fd`` (Python's
documentation, module ``signal``).
"""

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

TO_LEAVE = (signal.SIGTERM, signal.SIGINT)


def on_leave(leave: Callable[[], object], *, insisted: Callable[[], object] = lambda: None) -> None:
    """Call ``leave`` at each signal to leave, from another thread; call it from the main thread, once a process.

    ``insisted`` is called in the main thread at the second such signal and each later one: it may raise there, and must
    take no lock.
    """
    ours, pythons = socket.socketpair()
    pythons.settimeout(0)
    signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    heard = 0

    def count(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            insisted()

    for number in TO_LEAVE:
        signal.signal(number, count)
    # The thread holds on to Python's end as well: collected, it would be closed, and its number given to another file.
    threading.Thread(target=_listen, args=(ours, pythons, leave), name="signals", daemon=True).start()


def _listen(ours: socket.socket, _pythons: socket.socket, leave: Callable[[], object]) -> None:
    while numbers := ours.recv(64):
        if any(number in TO_LEAVE for number in numbers):
            leave()
