"""What the file system shows of a ledger's path, in words: for the errors that SQLite has no words for.

SQLite says "unable to open database file" of a folder that is missing, one that may not be entered and a mount that is
read-only alike. Looked at only once something failed, so what is found may have changed meanwhile; it is said as what
is there now. Nothing here changes anything, and nothing raises.
"""

import os
from pathlib import Path

MISSING = "the file does not exist"

_EFFECTIVE = os.access in os.supports_effective_ids


def obstacle(path: Path) -> str | None:
    """Return what keeps this user from reading and writing the ledger at ``path``; None where nothing is seen to."""
    folder = path.parent
    try:
        return _obstacle_in(folder) or _obstacle_at(path)
    except OSError as error:
        return f"{error.filename or path} cannot be looked at: {error.strerror}"


def _obstacle_in(folder: Path) -> str | None:
    """A ledger needs its folder for its log and its lock too, so one that may only be read is not enough."""
    if not _may(folder, os.F_OK):
        missing = _first_missing(folder)
        return None if missing is None else f"the folder {missing} does not exist"
    if not folder.is_dir():
        return f"{folder} is no folder"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"the folder {folder} is on a file system that is mounted read-only"
    if not _may(folder, os.X_OK):
        return f"the folder {folder} may not be entered by this user"
    return None if _may(folder, os.W_OK) else f"the folder {folder} is read-only for this user"


def _obstacle_at(path: Path) -> str | None:
    if not path.exists():
        return MISSING
    if not _may(path, os.R_OK):
        return "the file may not be read by this user"
    return None if _may(path, os.W_OK) else "the file is read-only for this user"


def _first_missing(folder: Path) -> Path | None:
    """Return the outermost folder that is not there: the one to make, or to look for a typing error in."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            return each
    return None


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=_EFFECTIVE)
