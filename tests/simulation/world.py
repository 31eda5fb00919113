"""What a play begins with, drawn by chance: groups and their strategies, clusters and what they run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from controller.model.calendar import Freeze
from controller.model.declaration import ClusterGroup, Declaration, Limits, Selector, Wave
from controller.model.versions import KafkaVersion, MetadataVersion
from tests.builders import MINUTE, release
from tests.builders_core import FLEET_NAME, a_group, a_strategy, a_wave, a_window, catalog
from tests.simulation.fleet import Cluster
from tests.simulation.play import SOURCES, Play

GROUPS = ("dev", "prod", "stage")
CLUSTERS_MAX = 30
OLDER = ("4.1.2", "4.1.2", "4.1.2", "4.2.1", "4.1.1", "4.0.1")
RARE = ("3.9.1", "3.2.3", "4.4.0", "4.3.2")
TARGETS = ("4.3.1", "4.3.1", "4.3.1", "4.3.2", "4.2.1", "4.2.0", "4.1.2")
SIZES = ("1", "1", "2", "30%", "50%")
SOAKS = (2 * MINUTE, 3 * MINUTE, 5 * MINUTE)


class Written:
    """The fleet repository as people write it: what stands in it, before it is committed."""

    def __init__(self, play: Play, random: Random) -> None:
        self.play = play
        self.random = random
        self.groups: dict[str, ClusterGroup] = {}
        self.freezes: list[Freeze] = []
        self.halted = False
        self.limit = random.choice((2, 4, 10))
        self.unavailable = random.choice((5, 30, 100))
        self.blocked: dict[KafkaVersion, str] = {}

    @property
    def declaration(self) -> Declaration:
        """What is written now."""
        declared = {
            name: replace(group, after=tuple(each for each in group.after if each in self.groups))
            for name, group in self.groups.items()
        }
        return Declaration(
            FLEET_NAME,
            (),
            tuple(declared[name] for name in sorted(declared)),
            replace(catalog(), blocked=dict(self.blocked)),
            Limits(self.limit, unavailable_percent=self.unavailable),
            tuple(self.freezes),
            self.halted,
        )

    def commit(self) -> str:
        """Put it on the branch."""
        return self.play.repository.commit(self.declaration)

    def change(self, name: str, group: ClusterGroup) -> None:
        """Write one group, and commit."""
        self.groups[name] = group
        self.commit()


def some_waves(random: Random) -> tuple[Wave, ...]:
    """One to three waves, the last one for the rest."""
    count = random.choice((0, 1, 1, 2))
    approval = random.random() < 0.1
    waves = [_wave(random, f"wave{number}", random.choice(SIZES)) for number in range(count)]
    return (*waves, replace(_wave(random, "last", "rest"), approval_required=approval))


def _wave(random: Random, name: str, size: str) -> Wave:
    return a_wave(name, size, random.choice(SOAKS), most=random.choice((1, 2, 5)))


def some_group(random: Random, name: str) -> ClusterGroup:
    """A group by its label, mostly on its way to the same release as the others."""
    return a_group(
        name,
        random.choice(TARGETS[:3] if random.random() < 0.8 else TARGETS),
        strategy=a_strategy(
            waves=some_waves(random),
            budget=random.choice(("0", "1", "2", "20%")),
            deadline=random.choice((8, 12, 20)) * MINUTE,
        ),
        samples=random.choice((1, 2, 3)),
        accept_risks=frozenset({"KIP-896"} if random.random() < 0.5 else ()),
    )


def level_of(version: KafkaVersion) -> MetadataVersion | None:
    """The level that a cluster of this release was formatted with."""
    return catalog().releases[version].metadata_version


def some_cluster(random: Random, name: str, labels: Mapping[str, str], releases: Sequence[str] = OLDER) -> Cluster:
    """A cluster in good order."""
    version = release(random.choice(RARE if random.random() < 0.07 else releases))
    return Cluster(
        f"{random.choice(SOURCES)}/{name}",
        dict(labels),
        [version] * random.choice((1, 2, 3)),
        version,
        level_of(version),
        per_broker=random.choice((1, 1, 2)) * MINUTE,
    )


def begin(random: Random, play: Play) -> Written:
    """Let the world of a play begin."""
    written = Written(play, random)
    names = random.sample(GROUPS, random.choice((1, 2, 2, 3)))
    for name in names:
        written.groups[name] = some_group(random, name)
        for number in range(random.choice((0, 1, 3, 5, 8, 10))):
            play.fleet.add(some_cluster(random, f"{name}-{number}", {"group": name}))
    if len(names) > 1 and random.random() < 0.4:
        first, second = sorted(names)[:2]
        written.groups[second] = replace(written.groups[second], after=(first,))
    if random.random() < 0.3:
        _by_names(random, written)
    if random.random() < 0.3:
        name = random.choice(names)
        windows = (a_window("00:05", "00:40"), a_window("02:00", "23:00"))
        written.groups[name] = replace(written.groups[name], windows=windows)
    play.fleet.add(some_cluster(random, "stray", {"group": "nobody"}))
    play.fleet.always_full = random.random() < 0.3
    written.commit()
    return written


def _by_names(random: Random, written: Written) -> None:
    """Let one group name its clusters instead of selecting them; one of the names may be wrong."""
    name = random.choice(sorted(written.groups))
    named = [
        each.name.rsplit("/", 1)[-1] for each in written.play.fleet.clusters.values() if each.labels["group"] == name
    ]
    if named:
        extra = ("gone-for-good",) if random.random() < 0.3 else ()
        written.groups[name] = replace(written.groups[name], selector=Selector(names=(*named, *extra)))
