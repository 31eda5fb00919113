"""What a lab is asked to be: how many clusters, of how many brokers, on which releases, plain or secure.

Two forms of asking: so many clusters alike, or one by one as ``NAME=RELEASE:BROKERS``. A lab is made once and keeps its
shape, so what is asked of one that is there must be what it has; what is left out, is. It makes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.errors import LabError
from controller.lab.releases import Release
from controller.labfiles import CLUSTER_NAME_EXPECTED, ClusterShape, LabFile, is_cluster_name

CLUSTERS_MAX = 20
BROKERS_MAX = 9
CLUSTERS = 1
BROKERS = 3
RELEASE = "4.1.2"
"""What a new lab is made with where nothing is asked."""
SCRAM_OLDEST = (3, 5)
"""The release line from which on a user can be made before the first start (KIP-900)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked; None where it is left out. ``named`` and ``clusters`` exclude each other."""

    clusters: int | None = None
    brokers: int | None = None
    release: str | None = None
    named: tuple[str, ...] = ()
    """One cluster each: ``NAME``, ``NAME=RELEASE`` or ``NAME=RELEASE:BROKERS``."""
    secure: bool | None = None

    def new_lab(self) -> LabFile:
        """Return the lab that is made; LabError where what is asked cannot be honoured."""
        release = str(Release.parse(RELEASE if self.release is None else self.release))
        brokers = _within("brokers", BROKERS if self.brokers is None else self.brokers, BROKERS_MAX)
        shapes = self._shapes(ClusterShape(brokers, release))
        names = tuple(shapes) or tuple(f"lab-{number}" for number in range(1, self._number() + 1))
        lab = LabFile(names, brokers, release, shapes, secure=bool(self.secure))
        if lab.secure:
            _require_scram(lab)
        return lab

    def misfit(self, lab: LabFile) -> str | None:
        """Return why ``lab``, which is there, is not what is asked; None where it is."""
        if self.secure is not None and self.secure != lab.secure:
            return f"found a lab with {_listeners(lab.secure)} listeners, expected {_listeners(self.secure)}"
        has = {name: lab.shape(name).brokers for name in lab.clusters}
        expected = self._expected(has)
        if expected == has:
            return None
        return f"found a lab of {_described(has)}, expected {_described(expected)}"

    def release_of(self, name: str) -> str | None:
        """The release that was asked for the cluster ``name``; None where none was."""
        shapes = self._shapes(ClusterShape(BROKERS, self.release or ""))
        return shapes[name].release or None if name in shapes else self.release

    def _number(self) -> int:
        return _within("clusters", CLUSTERS if self.clusters is None else self.clusters, CLUSTERS_MAX)

    def _expected(self, has: Mapping[str, int]) -> dict[str, int]:
        """By cluster of a lab with the clusters ``has``: how many brokers are asked for."""
        if self.named:
            default = ClusterShape(BROKERS if self.brokers is None else self.brokers, RELEASE)
            return {name: shape.brokers for name, shape in self._shapes(default).items()}
        names = [*has] if self.clusters is None else [f"lab-{number}" for number in range(1, self.clusters + 1)]
        usual = next(iter(has.values()), BROKERS) if self.brokers is None else self.brokers
        return {name: has.get(name, usual) if self.brokers is None else usual for name in names}

    def _shapes(self, default: ClusterShape) -> dict[str, ClusterShape]:
        shapes: dict[str, ClusterShape] = {}
        for text in self.named:
            name, shape = _read(text, default)
            if name in shapes:
                raise LabError(f"cluster: found {name} twice, expected each name once")
            shapes[name] = shape
        _within("clusters", len(shapes) or 1, CLUSTERS_MAX)
        return shapes


def _read(text: str, default: ClusterShape) -> tuple[str, ClusterShape]:
    """Return name and shape of a cluster that was asked for as ``text``."""
    name, has_release, rest = text.partition("=")
    release, has_brokers, brokers = rest.partition(":")
    if not is_cluster_name(name):
        raise LabError(f"cluster: found the name {name!r}, expected {CLUSTER_NAME_EXPECTED}")
    if (has_brokers and not brokers.isdecimal()) or (has_release and not release):
        raise LabError(f"cluster: found {text!r}, expected NAME=RELEASE:BROKERS such as orders=4.1.2:3")
    number = _within(f"brokers of {name}", int(brokers) if has_brokers else default.brokers, BROKERS_MAX)
    return name, ClusterShape(number, str(Release.parse(release)) if has_release else default.release)


def _within(name: str, found: int, highest: int) -> int:
    if not 1 <= found <= highest:
        raise LabError(f"{name}: found {found}, expected 1 to {highest}")
    return found


def _require_scram(lab: LabFile) -> None:
    for name in lab.clusters:
        release = lab.shape(name).release
        if Release.parse(release).line < SCRAM_OLDEST:
            raise LabError(f"{name}: found Apache Kafka {release}, expected 3.5.0 or newer for secure listeners")


def _listeners(secure: bool) -> str:  # noqa: FBT001 - the one thing it is about
    return "secure" if secure else "plain"


def _described(brokers: Mapping[str, int]) -> str:
    numbers = {*brokers.values()}
    alike = len(numbers) == 1 and [*brokers] == [f"lab-{number}" for number in range(1, len(brokers) + 1)]
    if alike and len(brokers) > 1:
        return f"{len(brokers)} clusters with {_counted(numbers.pop())} each"
    return ", ".join(f"{name} with {_counted(number)}" for name, number in brokers.items())


def _counted(brokers: int) -> str:
    return f"{brokers} broker{'' if brokers == 1 else 's'}"
