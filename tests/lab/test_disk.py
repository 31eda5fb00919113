"""Filling a disk: to its last byte where it is a small one of its own, and never a person's."""

import errno
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab import disk
from tests.lab.disks import small_disk


def test_a_small_disk_is_filled_to_its_last_byte_and_emptied_again(tmp_path: Path) -> None:
    """
    Not one byte more can be written; after emptying, what was there before is untouched. Both may be repeated.
    """
    with small_disk(tmp_path / "data", megabytes=1) as folder:
        (folder / "log").write_bytes(b"before")

        assert disk.fill(folder) > 500_000
        with pytest.raises(OSError, match="No space left") as error:
            (folder / "more").write_bytes(b"x")
        assert errno.ENOSPC == error.value.errno
        assert 0 == disk.fill(folder)

        disk.empty(folder)
        disk.empty(folder)
        (folder / "more").write_bytes(b"x" * 500_000)
        assert b"before" == (folder / "log").read_bytes()


def test_a_folder_of_a_larger_file_system_is_never_filled(tmp_path: Path) -> None:
    """
    Safety: where the log directory is no disk of its own, nothing is written, and the sentence says how to mount one.
    """
    with pytest.raises(LabError, match=r"found a folder of a larger file system.*mount -t tmpfs -o size=200m"):
        disk.fill(tmp_path)

    assert [] == [*tmp_path.iterdir()]


def test_a_large_disk_is_never_filled(tmp_path: Path) -> None:
    """
    Safety: a file system of its own is not enough; one of two gigabytes may be anybody's.
    """
    with small_disk(tmp_path / "data", megabytes=2048) as folder:
        with pytest.raises(LabError, match="found a file system of 2048 MiB, expected at most 1024 MiB: nothing"):
            disk.fill(folder)

        assert [] == [*folder.iterdir()]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """
    A broker that was never started has no log directory.
    """
    with pytest.raises(LabError, match="data: cannot be looked at: No such file or directory"):
        disk.fill(tmp_path / "data")
