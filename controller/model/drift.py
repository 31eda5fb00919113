"""How the live clusters of one group stand to a target, as one cycle saw them."""

from dataclasses import dataclass

from controller.versions import KafkaVersion, MetadataVersion


@dataclass(frozen=True, slots=True)
class Drift:
    """The live clusters of one group, told apart by what they run. Full names, in the group's order."""

    on_target: int
    below: tuple[str, ...]
    above: tuple[str, ...]
    unknown: tuple[str, ...]
    sick: tuple[str, ...] = ()
    """Those of any kind in which something is wrong that a roll under way does not explain."""
    releases: tuple[KafkaVersion, ...] = ()
    """What those below run, each release once, in no order."""
    lowest: MetadataVersion | None = None
    """The lowest finalized metadata.version of any of them; None where none was told."""

    @property
    def of(self) -> int:
        """How many live clusters the group has."""
        return self.on_target + len(self.below) + len(self.above) + len(self.unknown)
