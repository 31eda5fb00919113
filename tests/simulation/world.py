"""What a play begins with, drawn by chance: groups and their strategies, clusters and what they run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from controller.model.calendar import Freeze
from controller.model.declaration import (
    ClusterGroup,
    Declaration,
    DomainLimit,
    Expedite,
    ExternalGate,
    Finalize,
    Limits,
    OnFailure,
    PrometheusGate,
    Selector,
    Wave,
    WebhookGate,
)
from controller.versions import KafkaVersion, MetadataVersion
from tests.builders import MINUTE, place, release
from tests.builders_core import FLEET_NAME, a_group, a_strategy, a_wave, a_window, catalog
from tests.simulation.fleet import Cluster
from tests.simulation.play import SOURCES, Play

GROUPS = ("dev", "prod", "stage")
CLUSTERS_MAX = 30
OLDER = ("4.1.2", "4.1.2", "4.1.2", "4.2.1", "4.1.1", "4.0.1")
RARE = ("3.9.1", "3.2.3", "4.4.0", "4.3.2")
OLDEST = ("3.0.2", "3.1.2", "3.2.3", "3.3.2", "3.4.1", "3.5.2", "3.6.2", "3.7.2", "3.8.1", "3.9.2")
TARGETS = ("4.3.1", "4.3.1", "4.3.1", "4.3.2", "4.2.1", "4.2.0", "4.1.2", "3.9.2")
RACKS = ("a", "b", "c")
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
        self.expedite: list[Expedite] = []
        domain = DomainLimit("rack", random.choice((1, 2, 3)))
        self.per_domain: tuple[DomainLimit, ...] = (domain,) if random.random() < 0.4 else ()
        self.never_together: tuple[str, ...] = ("pair",) if random.random() < 0.4 else ()

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
            Limits(self.limit, self.per_domain, self.never_together, self.unavailable),
            tuple(self.freezes),
            self.halted,
            expedite=tuple(self.expedite),
        )

    def take(self, declaration: Declaration) -> None:
        """Write what ``declaration`` says, as a revert does."""
        self.groups = {group.name: group for group in declaration.groups}
        self.freezes, self.halted = list(declaration.freezes), declaration.halted
        self.blocked, self.expedite = dict(declaration.catalog.blocked), list(declaration.expedite)
        limits = declaration.limits
        self.limit, self.unavailable = limits.clusters_in_flight, limits.unavailable_percent
        self.per_domain, self.never_together = limits.per_domain, limits.never_together

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
    wave = a_wave(name, size, random.choice(SOAKS), most=random.choice((1, 2, 5)))
    return replace(wave, select={"rack": random.choice(RACKS)}) if random.random() < 0.2 else wave


def some_gates(random: Random) -> tuple[ExternalGate, ...]:
    """None, or one or both of the two kinds."""
    prometheus = PrometheusGate("p99", "p99", 0.25, None, random.choice((1, 2, 3)), place())
    webhook = WebhookGate("calendar", "https://calendar.example", place())
    return random.choice(((), (), (), (prometheus,), (webhook,), (prometheus, webhook)))


def some_metadata(random: Random) -> Finalize | MetadataVersion:
    """What is declared of the level: mostly that it follows its release."""
    levels = catalog().metadata_versions
    level = levels[random.choice(("3.3-IV3", "3.9-IV0", "4.1-IV1"))]
    return random.choice((Finalize.AUTO, Finalize.AUTO, Finalize.AUTO, Finalize.HOLD, level))


def some_group(random: Random, name: str) -> ClusterGroup:
    """A group by its label, mostly on its way to the same release as the others."""
    group = a_group(
        name,
        random.choice(TARGETS[:3] if random.random() < 0.8 else TARGETS),
        strategy=replace(
            a_strategy(
                waves=some_waves(random),
                budget=random.choice(("0", "1", "2", "20%")),
                deadline=random.choice((8, 12, 20)) * MINUTE,
            ),
            on_failure=random.choice(list(OnFailure)),
        ),
        samples=random.choice((1, 2, 3)),
        accept_risks=frozenset({"KIP-896"} if random.random() < 0.5 else ()),
    )
    return replace(
        group,
        metadata_version=fitting(group.target, some_metadata(random)),
        finalize_soak=random.choice((2, 5, 15)) * MINUTE,
        gates=some_gates(random),
    )


def fitting(target: KafkaVersion, level: Finalize | MetadataVersion) -> Finalize | MetadataVersion:
    """Return ``level``, or none where the target does not serve it: no revision that says so is valid."""
    served = level_of(target)
    return Finalize.AUTO if isinstance(level, MetadataVersion) and (served is None or served < level) else level


def level_of(version: KafkaVersion) -> MetadataVersion | None:
    """The level that a cluster of this release was formatted with."""
    return catalog().releases[version].metadata_version


def can_run(version: KafkaVersion, level: MetadataVersion | None) -> bool:
    """Tell whether brokers of a release start at all on this level; None = on ZooKeeper."""
    served = level_of(version)
    if level is None:
        return version.major < 4
    return served is not None and level <= served and (version.major < 4 or level >= catalog().metadata_floor_for_4x)


def some_cluster(random: Random, name: str, labels: Mapping[str, str], releases: Sequence[str] = OLDER) -> Cluster:
    """A cluster in good order."""
    version = release(random.choice(RARE if random.random() < 0.07 else releases))
    racks = {"rack": random.choice(RACKS)} if random.random() < 0.8 else {}
    pair = {"pair": random.choice("xyz")} if random.random() < 0.3 else {}
    zookeeper = version.major < 4 and random.random() < 0.1
    return Cluster(
        f"{random.choice(SOURCES)}/{name}",
        {**racks, **pair, **labels},
        [version] * random.choice((1, 2, 3)),
        version,
        None if zookeeper else _some_level(random, version),
        zookeeper=zookeeper,
        kafka_id=f"id of {name}" if random.random() < 0.5 else None,
        raises_itself=random.random() < 0.7,
        per_broker=random.choice((1, 1, 2)) * MINUTE,
    )


def _some_level(random: Random, version: KafkaVersion) -> MetadataVersion | None:
    """The level of a cluster formatted by its release, or one that it was left with when it came from an older one."""
    served = level_of(version)
    if served is None or random.random() < 0.7:
        return served
    floor = catalog().metadata_floor_for_4x
    lower = [each for each in catalog().metadata_versions.values() if each < served]
    legal = [each for each in lower if version.major < 4 or each >= floor]
    return random.choice(legal[-4:] or [served])


def begin(random: Random, play: Play) -> Written:
    """Let the world of a play begin."""
    written = Written(play, random)
    names = random.sample(GROUPS, random.choice((1, 2, 2, 3)))
    for name in names:
        written.groups[name] = some_group(random, name)
        releases = OLDEST if random.random() < 0.2 else OLDER
        for number in range(random.choice((0, 1, 3, 5, 8, 10))):
            play.fleet.add(some_cluster(random, f"{name}-{number}", {"group": name}, releases))
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
