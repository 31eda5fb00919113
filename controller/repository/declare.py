"""From a tree of files to a Declaration, or to everything that is wrong with it. Start reading here.

    find -> read (files) -> judge each file (judge) -> rules over the whole (rules) -> Declaration

What depends on one file, the fleet's defaults and the catalog is kept by blob id; rules over the whole run each
time. No file's mistake hides another's: the problems of all files are told together, up to a bound.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import TypeVar

from controller.errors import ControllerError, DeclarationError, Problem
from controller.model.catalog import Catalog
from controller.model.declaration import Declaration
from controller.model.inventory import Inventory
from controller.repository.blobs import BlobCache, Key
from controller.repository.catalog import built_in_catalog
from controller.repository.complete import (
    complete_fleet_expedite,
    complete_freezes,
    complete_limits,
    complete_sources,
)
from controller.repository.files import refused, shown
from controller.repository.group_rules import Ground
from controller.repository.judge import (
    CompleteFile,
    GroupFile,
    judge_catalog,
    judge_complete,
    judge_fleet,
    judge_groups,
    judge_inventory,
)
from controller.repository.rules import fleet_release_problems, whole_problems
from controller.repository.tree import ENTRIES_MAX, Blob, Tree
from controller.repository.written import WrittenFleet, WrittenSettings, WrittenSource

__all__ = ["BlobCache", "load", "validate"]

FLEET, RELEASES, GROUPS = "fleet.yaml", "releases.yaml", "groups"
PROBLEMS_MAX = 1_000
BYTES_MAX = 32 * 1024 * 1024
"""Of all files together."""

_WITHOUT_BUG = "content that it can read; this is a bug of Wavefleet, please report it with this file"

T = TypeVar("T")


def load(tree: Tree, cache: BlobCache) -> Declaration:
    """Return what the tree declares. Raises DeclarationError with every problem, RepositoryError from the tree."""
    reading = _Reading(tree, cache)
    declaration = reading.read()
    cache.end_load()
    if declaration is None:
        raise DeclarationError(reading.told())
    return declaration


def validate(tree: Tree) -> tuple[Problem, ...]:
    """Return every problem of the tree, by file and line; none where it can be loaded. Raises RepositoryError."""
    reading = _Reading(tree, BlobCache())
    reading.read()
    return reading.told()


class _Reading:
    """One pass over the files of a tree, collecting problems."""

    def __init__(self, tree: Tree, cache: BlobCache) -> None:
        self._tree = tree
        self._cache = cache
        self._problems: list[Problem] = []
        self._at = FLEET
        """The file that is being read."""

    def told(self) -> tuple[Problem, ...]:
        """Return the problems, each once, in order; of very many the first."""
        problems = sorted(set(self._problems))
        more = len(problems) - PROBLEMS_MAX
        if more <= 0:
            return tuple(problems)
        last = problems[PROBLEMS_MAX - 1]
        rest = Problem(last.file, last.line, "", f"{more} more problems after this one", "these to be mended first")
        return (*problems[:PROBLEMS_MAX], rest)

    def read(self) -> Declaration | None:
        """Return the declaration, or None where there are problems.

        Also where our own code stumbles over a file: a commit may be refused for that, but end no daemon.
        """
        try:
            return self._declaration()
        except (ControllerError, OSError, MemoryError):  # the machine's or the remote's trouble, not the author's
            raise
        except Exception as error:  # noqa: BLE001 - what nobody foresaw, whatever it is
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__}: {shown(str(error))}, in {PurePath(at.filename).name}:{at.lineno}"
            self._note(self._at, f"content that Wavefleet stumbles over ({where})", _WITHOUT_BUG)
            return None

    def _declaration(self) -> Declaration | None:
        files = self._find_files()
        fleet = self._read_fleet(files.get(FLEET))
        catalog = self._read_catalog(files.get(RELEASES))
        inventories = self._read_inventories(fleet, catalog, files)
        ground = Ground(_defaults_of(fleet), catalog)
        files_of_groups = self._read_groups(
            [blob for path, blob in files.items() if _is_group_file(path)],
            fleet,
            ground,
            (_id(files.get(FLEET)), _id(files.get(RELEASES))),
        )
        if fleet is not None and catalog is not None:
            self._problems.extend(fleet_release_problems(fleet, catalog))
        if self._problems or fleet is None or catalog is None:
            return None
        return _assembled(fleet, catalog, files_of_groups, inventories)

    def _find_files(self) -> Mapping[str, Blob]:
        """Return the files that are read, by path, and note what stands in their places.

        Inventories are among them where they lie where the last load found them.
        """
        likely = self._cache.looked_for
        found = self._list_files(likely)
        if len(found) > ENTRIES_MAX:
            self._note(GROUPS, f"more than {ENTRIES_MAX} files", "fewer: put several groups into one file")
            return {}
        files: dict[str, Blob] = {}
        for blob in found:
            if blob.path in {FLEET, RELEASES} or _is_group_file(blob.path):
                if self._may_be_read(blob):
                    files[blob.path] = blob
            elif blob.path in likely:
                files[blob.path] = blob
            elif blob.path == GROUPS and self._may_be_read(blob):
                self._note(GROUPS, "a file", "a folder with files of groups")
            elif _is_group_file(blob.path, ending=".yml"):
                self._note(blob.path, "the ending .yml", f"the ending .yaml: rename it to {blob.path[:-3]}yaml")
        if not any(blob.path == FLEET for blob in found):
            other = "only a fleet.yml" if any(blob.path == "fleet.yml" for blob in found) else "no such file"
            self._note(FLEET, other, f"a file {FLEET} with one object of kind Fleet")
        size = sum(blob.size for blob in files.values() if blob.path not in likely)
        if size > BYTES_MAX:
            self._note(GROUPS, f"{size} bytes in all files", f"at most {BYTES_MAX}")
            return {}
        return files

    def _list_files(self, likely: tuple[str, ...]) -> Sequence[Blob]:
        """Return what lies in the places of files, and at ``likely`` ones, unless that is too much together."""
        ours = (FLEET, "fleet.yml", RELEASES, GROUPS)
        found = self._tree.find((*ours, *likely))
        return self._tree.find(ours) if likely and len(found) > ENTRIES_MAX else found

    def _may_be_read(self, blob: Blob) -> bool:
        problem = refused(blob)
        if problem is not None:
            self._problems.append(problem)
        return problem is None

    def _note(self, file: str, found: str, expected: str) -> None:
        self._problems.append(Problem(file, 1, "", found, expected))

    def _judged(self, blobs: Sequence[Blob], role: Key, judge: Callable[[str, bytes], T]) -> Iterator[T]:
        """Yield the judgement on each blob, of those that are not kept by reading them all at once."""
        keys = {blob.path: (*role, blob.path, blob.id) for blob in blobs}
        unread = [blob for blob in blobs if keys[blob.path] not in self._cache]
        contents = self._tree.read(unread) if unread else iter(())

        def judge_next(path: str) -> T:
            return judge(path, next(contents))

        for blob in blobs:
            self._at = blob.path
            yield self._cache.kept(keys[blob.path], partial(judge_next, blob.path))

    def _read_fleet(self, blob: Blob | None) -> WrittenFleet | None:
        for judged in self._judged([blob] if blob is not None else [], (FLEET,), judge_fleet):
            self._problems.extend(judged.problems)
            return judged.fleet
        return None

    def _read_catalog(self, blob: Blob | None) -> Catalog | None:
        if blob is None:
            return built_in_catalog()
        for judged in self._judged([blob], (RELEASES,), partial(judge_catalog, built_in_catalog())):
            self._problems.extend(judged.problems)
            return judged.catalog
        return None

    def _read_inventories(
        self, fleet: WrittenFleet | None, catalog: Catalog | None, files: Mapping[str, Blob]
    ) -> Mapping[str, Inventory]:
        """Return the inventories that sources name, by path."""
        sources = [source for source in fleet.sources if source.inventory is not None] if fleet is not None else []
        blobs = self._find_inventories(sources, files)
        read: dict[str, Inventory] = {}
        if catalog is not None:
            role = ("inventory", _id(files.get(RELEASES)))
            for blob, judged in zip(blobs, self._judged(blobs, role, partial(judge_inventory, catalog)), strict=True):
                self._problems.extend(judged.problems)
                if judged.inventory is not None:
                    read[blob.path] = judged.inventory
        return read

    def _find_inventories(self, sources: Sequence[WrittenSource], files: Mapping[str, Blob]) -> list[Blob]:
        words = [source.inventory for source in sources if source.inventory is not None]
        paths = sorted({word.text for word in words})
        found = {path: files[path] for path in paths if path in files}
        if len(found) < len(paths):
            found = {blob.path: blob for blob in self._tree.find(paths)}
        self._cache.looked_for = tuple(paths)
        for word in words:
            if word.text not in found:
                missing = f"{shown(word.text)}, where there is no file (no link is followed)"
                self._problems.append(word.problem("the path of an inventory in this repository", found=missing))
        return [found[path] for path in paths if path in found and self._may_be_read(found[path])]

    def _read_groups(
        self, blobs: Sequence[Blob], fleet: WrittenFleet | None, ground: Ground, ground_ids: Key
    ) -> Sequence[CompleteFile]:
        """Return the groups of all files, as used, by file."""
        files: list[GroupFile] = []
        complete: list[CompleteFile] = []
        for blob, file in zip(blobs, self._judged(blobs, (GROUPS,), judge_groups), strict=False):
            key = ("complete", *ground_ids, blob.path, blob.id)
            completed = self._cache.kept(key, partial(judge_complete, file, ground))
            files.append(file)
            complete.append(completed)
            self._problems += (*file.problems, *completed.problems)
            if len(self._problems) > PROBLEMS_MAX:
                break
        written = [group for file in files for group in file.groups]
        whole = len(files) == len(blobs) and all(file.whole for file in files)
        self._problems.extend(whole_problems(written, fleet, whole=whole))
        return complete


def _is_group_file(path: str, *, ending: str = ".yaml") -> bool:
    """Tell whether a path is one of ``groups/*.yaml``, as a shell reads that: without dot files."""
    folder, _, name = path.rpartition("/")
    return folder == GROUPS and name.endswith(ending) and not name.startswith(".")


def _id(blob: Blob | None) -> str:
    return blob.id if blob is not None else ""


def _defaults_of(fleet: WrittenFleet | None) -> WrittenSettings | None:
    """Return the defaults that groups may take, None where they cannot be trusted."""
    return fleet.defaults if fleet is not None and "defaults" not in fleet.broken else None


def _assembled(
    fleet: WrittenFleet, catalog: Catalog, files: Sequence[CompleteFile], inventories: Mapping[str, Inventory]
) -> Declaration:
    assert fleet.name is not None, "a fleet without a name is a problem"
    sources = complete_sources(fleet)
    groups = sorted((group for file in files for group in file.groups), key=lambda group: group.name)
    urgent = sorted((it for file in files for it in file.expedite), key=lambda it: it.groups)
    return Declaration(
        fleet=fleet.name,
        sources=sources,
        groups=tuple(groups),
        catalog=catalog,
        limits=complete_limits(fleet.limits),
        freezes=complete_freezes(fleet),
        expedite=(*complete_fleet_expedite(fleet), *urgent),
        halted=fleet.halted,
        inventories={it.name: inventories[it.options["inventory"]] for it in sources if "inventory" in it.options},
    )
