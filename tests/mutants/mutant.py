"""A promise that is broken on purpose: by which patches, and who notices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    """One place of one file."""

    file: str
    """Below ``controller/``."""
    old: str
    """Stands there exactly once."""
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A promise, and how it is broken."""

    promise: str
    what: str
    patches: tuple[Patch, ...]
    test: str
    """Of the core, a property, a contract or the runtime: fails on it."""
    seed: int
    """Of those that the simulation's tests play: breaks a promise on it."""
