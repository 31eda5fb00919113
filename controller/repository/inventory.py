"""Reads the inventory of a simulated source: its clusters, written or generated, and what goes wrong with them.

An inventory is read against the catalog, since a simulated cluster has the metadata.version of its release where
none is written. A fault that no cluster can have is refused: a test of a bad day that hits nobody proves nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from controller.errors import Problem
from controller.model.catalog import Catalog
from controller.model.inventory import Fault, FaultKind, Inventory, SimulatedCluster
from controller.repository import defaults, values
from controller.repository.catalog import unknown_metadata_version, unknown_release
from controller.repository.fields import Fields, Word
from controller.repository.files import Document, shown
from controller.repository.schema import check, nearest
from controller.versions import KafkaVersion, MetadataVersion

CLUSTERS_MAX = 200_000
"""Simulated clusters in one inventory."""
HITS_MAX = 1_000_000
"""Clusters that all faults of one inventory name together."""
SHARE_PERCENT_MAX = 100


_NUMBER = re.compile(r"\{n(?::0([1-9]))?\}")
_OF_UPGRADES = frozenset({FaultKind.STUCK, FaultKind.REFUSED})
"""Faults that only an upgrade can have, so that nobody needs to say so."""


@dataclass(frozen=True, slots=True)
class _Pace:
    """How large clusters are and how long they take."""

    brokers: int = defaults.BROKERS
    per_broker: timedelta = defaults.PER_BROKER
    settle: timedelta = defaults.SETTLE

    def changed(self, fields: Fields) -> "_Pace":
        """Return this pace with what ``fields`` say otherwise."""
        return _Pace(
            brokers=fields.read("brokers", values.whole_number) or self.brokers,
            per_broker=fields.read("perBroker", values.duration) or self.per_broker,
            settle=fields.read("settle", values.duration) or self.settle,
        )


def read_inventory(document: Document, catalog: Catalog) -> tuple[Inventory, tuple[Problem, ...]]:
    """Return the inventory that a document declares, and what is wrong with it."""
    problems = list(check(document, "Inventory").problems)
    spec = Fields.of(document, problems).fields("spec")
    clusters = _Clusters(catalog, problems)
    pace = _Pace().changed(spec.fields("defaults"))
    for row in spec.each("clusters"):
        clusters.add(row, pace.changed(row))
    faults = _faults(spec, clusters, whole=not problems)
    return Inventory(tuple(clusters.by_name.values()), faults), tuple(problems)


class _Clusters:
    """Collects simulated clusters, each name once, and notes what is wrong with them."""

    def __init__(self, catalog: Catalog, problems: list[Problem]) -> None:
        self.by_name: dict[str, SimulatedCluster] = {}
        self.catalog = catalog
        self.problems = problems

    def add(self, row: Fields, pace: _Pace) -> None:
        """Add the cluster of one row, or all that it generates."""
        version = self.release(row.word("kafkaVersion"))
        if version is None:
            return
        level = self._level(row, version)
        labels = row.texts("labels") if row.has("name") else row.fields("generate").texts("labels")
        for name in self._names(row):
            self.by_name[name] = SimulatedCluster(
                name, labels, version, level, pace.brokers, pace.per_broker, pace.settle
            )

    def release(self, word: Word | None) -> KafkaVersion | None:
        """Return a release of the catalog; None where there is none, which is told."""
        if word is None:
            return None
        problem = unknown_release(word, self.catalog)
        if problem is not None:
            self.problems.append(problem)
        return None if problem is not None else KafkaVersion.parse(word.text)

    def _level(self, row: Fields, version: KafkaVersion) -> MetadataVersion | None:
        highest = self.catalog.releases[version].metadata_version
        word = row.word("metadataVersion")
        if word is None:
            return highest
        problem = unknown_metadata_version(word, self.catalog)
        if problem is not None:
            self.problems.append(problem)
            return None
        level = self.catalog.metadata_versions[word.text]
        if highest is None or level > highest:
            self.problems.append(word.problem(f"at most {highest or 'none'}, the highest that {version} serves"))
        return level

    def _names(self, row: Fields) -> Iterator[str]:
        """Yield the names of a row's clusters that are free, and note the first that is taken."""
        word, count = row.word("name"), 1
        if word is None:
            word = row.fields("generate").word("name")
            count = row.fields("generate").read("count", values.whole_number) or 0
        if word is None:
            return
        if len(self.by_name) + count > CLUSTERS_MAX:
            row.note("", f"more than {CLUSTERS_MAX} clusters up to here", f"at most {CLUSTERS_MAX} in one inventory")
            return
        told = False
        for number in range(1, count + 1):
            name = _numbered(word.text, number)
            if name not in self.by_name:
                yield name
            elif not told:
                told = True
                self.problems.append(word.problem("names that no other cluster has", found=f"a second {shown(name)}"))


def _numbered(pattern: str, number: int) -> str:
    """Put ``number`` where ``{n}`` or ``{n:04}`` stands; a plain name stays as it is."""
    match = _NUMBER.search(pattern)
    if match is None:
        return pattern
    return f"{pattern[: match.start()]}{number:0{match[1] or 1}}{pattern[match.end() :]}"


def _faults(spec: Fields, clusters: _Clusters, *, whole: bool) -> tuple[Fault, ...]:
    """Read all faults; ``whole`` says that every cluster could be read, so that who is missing does not exist."""
    faults: list[Fault] = []
    hits_left = HITS_MAX
    for row in spec.each("faults"):
        hit = _hit(row, clusters.by_name) if whole else ()
        hits_left -= len(hit)
        if hits_left < 0:
            row.note("cluster", f"more than {HITS_MAX} clusters in all faults", "fewer faults, or narrower patterns")
            break
        fault = _fault(row, clusters, hit)
        if fault is not None:
            faults.append(fault)
    return tuple(faults)


def _hit(row: Fields, clusters: Mapping[str, SimulatedCluster]) -> tuple[str, ...]:
    word = row.word("cluster")
    if word is None:
        return ()
    if "*" in word.text:
        hit = tuple(name for name in clusters if _matches(word.text, name))
    else:
        hit = (word.text,) if word.text in clusters else ()
    if not hit:
        near = nearest(word.text, clusters)
        hint = f"such as {shown(near)}" if near else "or a pattern that matches one"
        row.note("cluster", f"{shown(word.text)}, which matches no cluster", f"a cluster of this inventory {hint}")
    return hit


def _matches(pattern: str, name: str) -> bool:
    """Tell whether ``*`` can stand for what ``name`` has there; piece by piece, in time linear in the name."""
    first, *middle, last = pattern.split("*")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _fault(row: Fields, clusters: _Clusters, hit: tuple[str, ...]) -> Fault | None:
    kind = row.read("kind", FaultKind)
    if kind is None:
        return None
    _refuse_times(row, kind)
    at, after = row.read("at", values.duration), row.read("after", values.duration)
    return Fault(
        kind=kind,
        clusters=hit,
        place=row.place,
        during_upgrade=row.has("during") or (kind in _OF_UPGRADES and at is None and after is None),
        release=clusters.release(row.word("release")),
        at=at,
        after=after,
        lasts=row.read("for", values.duration),
        share=row.read("share", values.percent) or SHARE_PERCENT_MAX,
        kafka_version=clusters.release(row.word("kafkaVersion")),
    )


def _refuse_times(row: Fields, kind: FaultKind) -> None:
    """A fault needs a time, and only one beginning of it."""
    told = [key for key in ("during", "at", "after") if row.has(key)]
    if not told and kind not in _OF_UPGRADES:
        row.note("", f"a fault {kind} without a time", "one of `at`, `after` and `during: upgrade`")
    if "after" in told and len(told) > 1:
        found = f"`after` beside `{told[0]}`"
        row.note("after", found, "only one of them: `after` counts from the end of the cluster's upgrade")
    elif "after" in told and kind in _OF_UPGRADES:
        row.note("after", f"`after` with {kind}", "`during: upgrade` or `at`: it concerns the upgrade itself")
