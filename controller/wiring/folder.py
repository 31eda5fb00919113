"""What a folder declares, committed or not: for ``validate`` and ``plan --path``, which need no ledger."""

from pathlib import Path

from controller.errors import Problem
from controller.model.declaration import Declaration
from controller.repository.blobs import BlobCache
from controller.repository.declare import load, validate
from controller.repository.tree import DirectoryTree


def problems_in(path: Path) -> tuple[Problem, ...]:
    """Return everything that is wrong with what the folder declares. Raises RepositoryError where it cannot be read."""
    return validate(DirectoryTree(path))


def declared_in(path: Path) -> Declaration:
    """Return what the folder declares. Raises DeclarationError, RepositoryError."""
    return load(DirectoryTree(path), BlobCache())
