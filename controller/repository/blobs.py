"""Keeps what was made of files by their blob ids, so that a commit costs what it changed and not what there is."""

from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")

Key = tuple[str, ...]
"""What was made, of which path, with which blob ids: everything that the value depends on."""


class BlobCache:
    """Values by key; a load keeps what it used, and what the load before it used. Not for several threads."""

    def __init__(self) -> None:
        self.looked_for: tuple[str, ...] = ()
        """The paths of the last load's inventories, so that the next one finds all files by one command."""
        self._earlier: dict[Key, object] = {}
        self._used: dict[Key, object] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._used or key in self._earlier

    def kept(self, key: Key, make: Callable[[], T]) -> T:
        """Return the value of ``key``, made where it is not here; a key always stands for one type."""
        value = self._used.get(key)
        if value is None:
            value = self._earlier.get(key)
        if value is None:
            value = make()
        self._used[key] = value
        return cast("T", value)

    def end_load(self) -> None:
        """Drop what neither this load nor the one before it used."""
        self._earlier, self._used = self._used, {}
