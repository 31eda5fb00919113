"""Files that several processes share: never half of one, and one writer at a time."""

import errno
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from controller import atomic

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from controller import atomic
with atomic.locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """
    A reader at any moment finds one content or the other, never a mixture or nothing.
    """
    file = tmp_path / "state.json"
    contents = [b"a" * 10_000, b"b" * 20_000]
    atomic.replace(file, contents[0])
    done = threading.Event()
    strange: list[bytes] = []

    def look() -> None:
        while not done.is_set():
            content = atomic.read_bounded(file, 100_000)
            if content not in contents:
                strange.append(content)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(50):
        atomic.replace(file, contents[number % 2])
    done.set()
    reader.join(30)

    assert [] == strange
    assert [file] == list(tmp_path.iterdir())


def test_a_write_that_does_not_fit_leaves_the_old_file(tmp_path: Path) -> None:
    """
    Where the disk takes no more, the old content stays and nothing else is left in the folder.
    """
    file = tmp_path / "state.json"
    atomic.replace(file, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="large") as raised:
            atomic.replace(file, b"n" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert errno.EFBIG == raised.value.errno
    assert b"old" == file.read_bytes()
    assert [file] == list(tmp_path.iterdir())


def test_a_file_longer_than_its_bound_is_not_read(tmp_path: Path) -> None:
    """
    The bound itself is still read.
    """
    file = tmp_path / "state.json"
    file.write_bytes(b"12345")

    assert b"12345" == atomic.read_bounded(file, 5)
    with pytest.raises(OSError, match="longer than 4 bytes"):
        atomic.read_bounded(file, 4)


def test_a_lock_is_held_by_one_and_waited_for_in_bounds(tmp_path: Path) -> None:
    """
    Whoever comes second waits as long as it said, is told, and gets it afterwards.
    """
    lock = tmp_path / "lock"
    with (
        atomic.locked(lock),
        pytest.raises(TimeoutError, match="locked by another program"),
        atomic.locked(lock, wait_seconds=0.05),
    ):
        pytest.fail("two hold one lock")

    with atomic.locked(lock, wait_seconds=0):
        assert atomic.take_lock(lock, wait_seconds=0) is None


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    """
    A killed holder leaves no lock behind.
    """
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert b"held\n" == holder.stdout.readline()
        assert atomic.take_lock(lock, wait_seconds=0) is None
        holder.kill()
        holder.wait(30)
        with atomic.locked(lock, wait_seconds=10):
            assert lock.exists()
