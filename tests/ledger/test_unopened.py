"""A ledger that SQLite cannot open: the sentence names the path, what is in the way, what was expected, what to do.

Permissions do not bind root, so the tests become nobody for as long as it takes; a read-only mount is looked for among
those that the machine has.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.errors import LedgerError
from controller.ledger.opening import open_ledger
from controller.ledger.place import obstacle

NOBODY = 65534
EXPECTED = "expected a file in a folder that this user may read and write; mend the path, the permissions or the mount"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve() / "state"
        place.mkdir()
        place.parent.chmod(0o755)
        place.chmod(0o777)
        yield place
        if place.exists():
            place.chmod(0o777)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user whom permissions bind."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def a_ledger(folder: Path) -> Path:
    """A ledger that every user may read and write."""
    path = folder / "ledger.db"
    open_ledger(path).close()
    path.chmod(0o666)
    return path


def refusal(path: Path, *, create: bool = True) -> str:
    """Open what must be refused, as nobody, and return the sentence."""
    with as_nobody(), pytest.raises(LedgerError) as refused:
        open_ledger(path, create=create).close()
    return str(refused.value)


def test_a_folder_that_may_only_be_read_is_named(folder: Path) -> None:
    """
    SQLite needs its log beside the file; it says no more than that it cannot open it, or may not write.
    """
    path = a_ledger(folder)
    folder.chmod(0o555)

    for create in (True, False):
        sentence = refusal(path, create=create)
        assert sentence.startswith(f"{path}: ")
        assert f"the folder {folder} is read-only for this user" in sentence
        assert "expected a file" in sentence
        assert "mend the" in sentence


def test_a_folder_that_is_gone_under_a_daemon_is_named(folder: Path) -> None:
    """
    The sentence says which folder of the path is not there any more.
    """
    path = a_ledger(folder)
    people = open_ledger(path, create=False)
    people.close()
    shutil.rmtree(folder)

    with pytest.raises(LedgerError) as refused:
        people.reported()

    assert f"{path}: cannot be opened: found that the folder {folder} does not exist" in str(refused.value)
    assert EXPECTED in str(refused.value)


def test_a_folder_that_may_not_be_entered_is_named(folder: Path) -> None:
    """
    Not permitted is another thing than missing: nobody should make a second ledger for it.
    """
    path = a_ledger(folder)
    folder.chmod(0o600)

    for create in (True, False):
        sentence = refusal(path, create=create)
        assert f"{path}: cannot be looked at: found Permission denied" in sentence
        assert f"the folder {folder} may not be entered by this user" in sentence
        assert EXPECTED in sentence


def test_a_file_that_may_not_be_read_is_named(folder: Path) -> None:
    """
    As one of another user is, with the permissions that the daemon gave it.
    """
    path = a_ledger(folder)
    path.chmod(0o200)

    sentence = refusal(path)

    assert f"{path}: cannot be opened: found that the file may not be read by this user" in sentence


def test_a_new_ledger_names_the_folder_that_is_missing(folder: Path) -> None:
    """
    The outermost one: there the typing error stands.
    """
    sentence = refusal(folder / "a" / "b" / "ledger.db")

    assert f"cannot be made: found No such file or directory (the folder {folder / 'a'} does not exist)" in sentence
    assert "make the folder, mend its permissions or the mount, or name another path" in sentence


def test_a_new_ledger_in_a_folder_that_may_only_be_read_says_so(folder: Path) -> None:
    """
    Found, expected and what to do stand in one sentence.
    """
    folder.chmod(0o555)

    sentence = refusal(folder / "ledger.db")

    assert f"cannot be made: found Permission denied (the folder {folder} is read-only for this user)" in sentence


def test_a_path_through_a_file_is_told(folder: Path) -> None:
    """
    A file where a folder should be.
    """
    (folder / "file").touch()

    assert f"({folder / 'file'} is no folder)" in refusal(folder / "file" / "ledger.db")


def test_a_read_only_mount_is_told_from_permissions() -> None:
    """
    No permission mends it.
    """
    mount = next((each for each in mounted_read_only()), None)
    if mount is None:
        pytest.skip("this machine has no read-only mount")

    assert f"the folder {mount} is on a file system that is mounted read-only" == obstacle(mount / "ledger.db")


def mounted_read_only() -> Iterator[Path]:
    """Folders that are mounted read-only and may be looked at."""
    mounts = Path("/proc/self/mounts")
    for line in mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else ():
        place, options = Path(line.split()[1]), line.split()[3].split(",")
        if "ro" in options and place.is_dir() and os.statvfs(place).f_flag & os.ST_RDONLY:
            yield place


def test_a_ledger_in_order_has_no_obstacle(folder: Path) -> None:
    """
    What fails there fails for another reason, and SQLite's own words are shown.
    """
    assert None is obstacle(a_ledger(folder))
