"""How the live clusters of one group stand to its target."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.model.versions import KafkaVersion


@dataclass(frozen=True, slots=True)
class Drift:
    """The live clusters of one group, told apart by what they run. Full names, in the group's order."""

    on_target: int
    below: tuple[str, ...]
    above: tuple[str, ...]
    unknown: tuple[str, ...]
    sick: tuple[str, ...] = ()
    """Of those on target: settled, read in full and unhealthy."""

    @property
    def of(self) -> int:
        """How many live clusters the group has."""
        return self.on_target + len(self.below) + len(self.above) + len(self.unknown)


def drift_of(names: Iterable[str], clusters: Mapping[str, ObservedCluster], target: KafkaVersion) -> Drift:
    """Compare what each of ``names`` runs with ``target``; a half-rolled cluster is below it."""
    on_target, below, above, unknown, sick = 0, [], [], [], []
    for name in names:
        reading = clusters[name].reading
        if isinstance(reading, Unknown):
            unknown.append(name)
        elif runs(reading, target):
            on_target += 1
            if reading.settled and not reading.healthy:
                sick.append(name)
        elif reading.release < target:
            below.append(name)
        else:
            above.append(name)
    return Drift(on_target, tuple(below), tuple(above), tuple(unknown), tuple(sick))


def runs(reading: Reading, target: object) -> bool:
    """Tell whether every node of the cluster runs ``target``.

    Identity is asked first: releases are read through a cache, so equal ones mostly are the same value.
    """
    lowest, highest = reading.release, reading.highest
    return (lowest is target or lowest == target) and (highest is target or highest == target)
