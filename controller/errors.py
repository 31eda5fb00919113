"""Every error this package raises on purpose, and who must act on it.

ControllerError
├── SettingsError        our own settings are wrong            -> exit at start
├── DeclarationError     a commit declares something wrong     -> author edits it
├── RepositoryError      the Git remote could not be read      -> hold, look again
├── ObservationError     live clusters could not be read       -> hold, look again
├── ApplyError
│   ├── ApplyRefused     the write was refused: nothing began  -> hold, look again
│   └── ApplyInDoubt     nobody knows whether it was taken     -> observe first
├── ReportError
│   ├── ReportRefused    a channel refuses this message        -> drop it, say so
│   └── ReportDelayed    a channel is down or limits us        -> later, in order
├── LedgerError          our memory cannot be trusted          -> stop the daemon
│   └── LeaseLost        another controller holds the ledger   -> wait for it
├── LabError             real brokers could not be run here    -> person mends the machine
│   └── UnknownLabName   the lab has no such cluster or broker -> person corrects it
└── IllegalTransition    the core went against its own table   -> a bug: stop

A failed ``assert`` is none of these: it is a bug, and the daemon stops, but where a declaration or the brokers of one
cluster are read: there it refuses the revision, or makes the cluster unknown.
"""

from dataclasses import dataclass


class ControllerError(Exception):
    """Base class. ``str(error)`` names the thing, what was found, what was expected and what to do."""


class SettingsError(ControllerError):
    """A setting of this process cannot be used; the person who starts it must mend it."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in the fleet repository, where an editor can jump to it."""

    file: str
    """Path relative to the repository."""
    line: int
    """Counted from 1; a whole file's problem stands at line 1."""
    field: str
    """A path such as ``spec.strategy.waves[1].size``; empty for a whole file."""
    found: str
    expected: str

    @property
    def message(self) -> str:
        """What was found and what was expected, as one sentence."""
        return f"found {self.found}, expected {self.expected}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field or '(file)'}: {self.message}"


class DeclarationError(ControllerError):
    """The fleet repository declares something that can never be applied; its author edits it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems, "a declaration is refused for at least one problem"
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RepositoryError(ControllerError):
    """The Git remote or its branch could not be read; the last valid revision stays in force."""


class ObservationError(ControllerError):
    """Live clusters could not be read; they are unknown until they can."""


class ApplyError(ControllerError):
    """A write to a live cluster did not end well."""


class ApplyRefused(ApplyError):
    """The write was refused, so nothing began; ``str(error)`` is the other side's own sentence."""


class ApplyInDoubt(ApplyError):
    """Nobody knows whether the write was taken: only an observation can tell."""


class ReportError(ControllerError):
    """A channel did not take a message."""


class ReportRefused(ReportError):
    """The channel will never take this message as it is."""


class ReportDelayed(ReportError):
    """The channel may take this message later; ``retry_after_seconds`` is what it asked for, if it did.

    ``in_doubt`` says that it may have taken the message all the same: the next try must look first.
    """

    def __init__(self, sentence: str, *, retry_after_seconds: float | None = None, in_doubt: bool = False) -> None:
        self.retry_after_seconds = retry_after_seconds
        self.in_doubt = in_doubt
        super().__init__(sentence)


class LedgerError(ControllerError):
    """Our memory cannot be read or written; nothing is applied without it."""


class LeaseLost(LedgerError):
    """Another controller writes to this ledger; this one must not."""


class LabError(ControllerError):
    """The lab cannot run real brokers on this machine as asked; the sentence says what is missing."""


class UnknownLabName(LabError):
    """A cluster or broker was named that the lab has not; whoever typed it corrects it."""


class IllegalTransition(ControllerError):
    """A cluster was moved between states that the table does not join: a bug in the core."""
