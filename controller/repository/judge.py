"""Judges one file at a time: which kind of object it must hold, how many, and what they say.

Each function depends on its arguments alone, so that its answer can be kept by blob id.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.errors import Problem
from controller.model.catalog import Catalog
from controller.model.declaration import ClusterGroup, Expedite
from controller.model.inventory import Inventory
from controller.repository.catalog import read_catalog
from controller.repository.complete import complete_group, complete_group_expedite
from controller.repository.files import PROBLEMS_PER_FILE_MAX, Document, ReadFile, read_file, shown
from controller.repository.group_rules import Ground, group_problems
from controller.repository.inventory import read_inventory
from controller.repository.read_fleet import read_fleet
from controller.repository.read_group import read_group
from controller.repository.rules import fleet_problems
from controller.repository.written import WrittenFleet, WrittenGroup


@dataclass(frozen=True, slots=True)
class GroupFile:
    """The groups of one file, as written."""

    groups: tuple[WrittenGroup, ...]
    problems: tuple[Problem, ...]
    whole: bool
    """False where a group may be in there whose name we do not know."""


@dataclass(frozen=True, slots=True)
class CompleteFile:
    """The groups of one file, as used; none where anything is wrong with them."""

    groups: tuple[ClusterGroup, ...]
    expedite: tuple[Expedite, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class FleetFile:
    """The Fleet, as written; None where there is none that can be read."""

    fleet: WrittenFleet | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """The built-in catalog with a fleet's additions; None where they cannot be trusted."""

    catalog: Catalog | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """An inventory; None where there is none that can be read."""

    inventory: Inventory | None
    problems: tuple[Problem, ...]


def judge_groups(file: str, content: bytes) -> GroupFile:
    """Read the groups of one file of ``groups/``; there may be none."""
    read = read_file(file, content)
    groups: list[WrittenGroup] = []
    problems: list[Problem] = []
    for document in read.documents:
        wrong_kind = _other_kind(document, "ClusterGroup")
        if wrong_kind is None:
            group, found = read_group(document)
            groups.append(group)
            problems += found
        else:
            problems.append(wrong_kind)
        if len(problems) >= PROBLEMS_PER_FILE_MAX:
            return GroupFile(tuple(groups), _told(read, problems), whole=False)
    named = len(read.documents) == sum(group.name is not None for group in groups)
    return GroupFile(tuple(groups), _told(read, problems), whole=read.whole and named)


def judge_complete(file: GroupFile, ground: Ground) -> CompleteFile:
    """Complete the groups of one file against the fleet's defaults and the catalog."""
    found = itertools.chain.from_iterable(group_problems(group, ground) for group in file.groups)
    problems = tuple(itertools.islice(found, PROBLEMS_PER_FILE_MAX))
    if problems or file.problems or ground.defaults is None or ground.catalog is None:
        return CompleteFile((), (), problems)
    groups = tuple(complete_group(group, ground) for group in file.groups)
    expedite = itertools.chain.from_iterable(complete_group_expedite(group) for group in file.groups)
    return CompleteFile(groups, tuple(expedite), ())


def judge_fleet(file: str, content: bytes) -> FleetFile:
    """Read the one Fleet of ``fleet.yaml``."""
    read = read_file(file, content)
    document, problems = _only(read, file, "Fleet")
    if document is None:
        return FleetFile(None, _told(read, problems))
    fleet, found = read_fleet(document)
    return FleetFile(fleet, _told(read, (*problems, *found, *fleet_problems(fleet))))


def judge_catalog(built_in: Catalog, file: str, content: bytes) -> CatalogFile:
    """Read the ReleaseCatalog of ``releases.yaml``; the file may be without one."""
    read = read_file(file, content)
    document, problems = _only(read, file, "ReleaseCatalog", required=False)
    catalog, found = (built_in, ()) if document is None else read_catalog(document)
    told = _told(read, (*problems, *found))
    return CatalogFile(None if told else catalog, told)


def judge_inventory(catalog: Catalog, file: str, content: bytes) -> InventoryFile:
    """Read the one Inventory of a file that a source names."""
    read = read_file(file, content)
    document, problems = _only(read, file, "Inventory")
    if document is None:
        return InventoryFile(None, _told(read, problems))
    inventory, found = read_inventory(document, catalog)
    return InventoryFile(inventory, _told(read, (*problems, *found)))


def _only(read: ReadFile, file: str, kind: str, *, required: bool = True) -> tuple[Document | None, list[Problem]]:
    """Return the one document of ``kind`` in a file, and what else is in there."""
    problems = [problem for document in read.documents if (problem := _other_kind(document, kind)) is not None]
    mine = [document for document in read.documents if _other_kind(document, kind) is None]
    if not read.documents and read.whole and required:
        problems.append(Problem(file, 1, "", "no content", f"one object of kind {kind}"))
    for document in mine[1:]:
        found = f"a second {kind}; the first is in line {mine[0].root.line}"
        problems.append(Problem(file, document.root.line, "kind", found, f"one {kind} in {file}"))
    return (mine[0] if mine else None), problems


def _other_kind(document: Document, kind: str) -> Problem | None:
    """Return the problem that a document of another kind is here; what names no kind is left to the schema."""
    fields = document.root.value
    node = fields.get("kind") if isinstance(fields, dict) else None
    if node is None or not isinstance(node.value, str) or node.value == kind:
        return None
    return Problem(document.file, node.line, "kind", shown(node.value), f"{kind}, the only kind in this file")


def _told(read: ReadFile, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return all problems of a file, without what only follows from one that YAML has at the same field."""
    return (*read.problems, *_not_told(read, problems))


def _not_told(read: ReadFile, problems: Iterable[Problem]) -> Iterator[Problem]:
    told = {(problem.line, problem.field) for problem in read.problems}
    return (problem for problem in problems if (problem.line, problem.field) not in told)
