"""How waves and groups are shown to people, everywhere the same."""

from dataclasses import dataclass
from datetime import timedelta

from controller.history.records import RolloutKind
from controller.model.outbox import StatusState
from controller.model.verdict import Hold
from controller.versions import Target


@dataclass(frozen=True, slots=True)
class WaveView:
    """One wave as people see it: admitted, or as it would be admitted now."""

    number: int
    name: str
    clusters: tuple[str, ...]
    """Full names."""
    soak: timedelta
    admitted: bool
    done: int
    """Converged or soaked."""
    has_soaked: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group as people see it, everywhere the same."""

    name: str
    kind: RolloutKind
    """What this speaks of: the group's software, or its finalization, which has a view of its own."""
    target: Target
    rollout: int | None
    """Id of the rollout this speaks of: the running one, else the last one to this target."""
    state: StatusState
    sentence: str
    done: int
    in_flight: int
    of: int
    waves: tuple[WaveView, ...] = ()
    holds: tuple[Hold, ...] = ()
    revision: str = ""
    """The revision that declared the target."""
    warnings: tuple[str, ...] = ()
    """What holds nothing, and people should know."""
    via: Target | None = None
    """Where the rollout goes, where that lies on the way to the target."""

    @property
    def context(self) -> str:
        """What people call it: the group's name, or ``GROUP/metadata`` for its finalization."""
        return self.name if self.kind is RolloutKind.SOFTWARE else f"{self.name}/metadata"
