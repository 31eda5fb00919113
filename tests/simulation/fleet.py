"""A model of a live fleet that knows the truth: what each cluster really runs, is asked for, and suffers from.

Written for tests and simpler than the product's simulated fleet: truth moves when the world's own time moves, whatever
the controller's clock says, and every way in which a read or a write can go wrong is a field that a test sets. It keeps
the promises of ``ports.FleetSource``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from controller.errors import ApplyInDoubt, ApplyRefused, ObservationError
from controller.model.health import Health
from controller.model.observation import (
    Endpoints,
    Finding,
    ObservedCluster,
    Reading,
    Severity,
    SourceReading,
    Unknown,
)
from controller.model.plan import Start
from controller.repository.catalog import built_in_catalog
from controller.versions import KafkaVersion, MetadataVersion

BLOCKED = Finding("offline_partitions", Severity.BLOCK, "1 partition has no leader")
ROLLING = Finding("under_replicated", Severity.WAIT, "1 broker is being rolled")
TOLD_BY_BROKERS = Finding("under_min_isr", Severity.BLOCK, "1 partition is below min.insync.replicas")
GRUMBLE = Finding("disk_usage", Severity.WARN, "a disk is 71% full")


class Operator(StrEnum):
    """What the operator of a cluster does with a wish."""

    WORKS = "works"
    IDLE = "idle"
    """It takes the wish and does nothing."""
    REFUSES = "refuses"
    """It takes the wish, and then says that it will not."""


class WriteFault(StrEnum):
    """What goes wrong with a write."""

    REFUSED = "refused"
    """The API says no."""
    LOST = "lost"
    """No answer, and it was not taken."""
    UNSEEN = "unseen"
    """No answer, and it was taken."""
    LATE = "late"
    """No answer, and it is taken later, within the limit that a write has."""
    TWICE = "twice"
    """It arrives twice: now, with an answer, and once more within the limit that a write has."""


@dataclass(slots=True)
class Cluster:
    """One cluster as it truly is."""

    name: str
    """Full name."""
    labels: dict[str, str]
    brokers: list[KafkaVersion]
    wanted: KafkaVersion
    level: MetadataVersion | None
    """Finalized; None on ZooKeeper, or where it cannot be told."""
    per_broker: timedelta = timedelta(minutes=1)
    generation: int = 1
    asked_with: str | None = None
    mark: str | None = None
    moved_at: datetime | None = None
    """When a broker rolled last, or the wish came."""
    sick: bool = False
    grumbles: bool = False
    operator: Operator = Operator.WORKS
    seen: bool = True
    """Its brokers answer."""
    listed: bool = True
    held: str | None = None
    kafka_id: str | None = None
    owner: str | None = None
    supported: tuple[KafkaVersion, ...] | None = None
    zookeeper: bool = False
    wanted_level: MetadataVersion | None = None
    """The level that its resource asks for; None where it asks for none."""
    raises_itself: bool = False
    """Where its resource asks for no level, its operator raises it with the release, as Strimzi's does."""
    level_told: bool = True
    """Its brokers tell the level."""
    brokers_silent: bool = False
    """Whoever asks its brokers how they are gets no answer, though its source shows it as ever."""
    brokers_tell: tuple[Finding, ...] = ()
    """What only its brokers tell."""
    lag: dict[str, int] = field(default_factory=dict)
    """By consumer group: the records that it is behind."""
    lag_told: bool = True
    """Its brokers tell it."""

    @property
    def rolled(self) -> bool:
        """Every broker runs what is asked for."""
        return all(broker == self.wanted for broker in self.brokers)

    @property
    def settled(self) -> bool:
        """Everything is done that is asked for."""
        return self.rolled and not self._rises

    @property
    def _rises(self) -> bool:
        """A higher level is asked for than is finalized; none is ever lowered."""
        return self.wanted_level is not None and (self.level is None or self.level < self.wanted_level)

    @property
    def well(self) -> bool:
        """Settled, and nothing is wrong."""
        return self.settled and not self.sick

    def runs(self, release: KafkaVersion) -> bool:
        """Tell whether every broker runs ``release``."""
        return all(broker == release for broker in self.brokers)

    def ask(self, release: KafkaVersion, now: datetime, token: str | None = None) -> None:
        """Take the wish for ``release``, from us (with a token) or from others."""
        self.generation += 1
        self.wanted, self.asked_with, self.moved_at = release, token, now

    def ask_level(self, level: MetadataVersion, now: datetime, token: str | None = None) -> None:
        """Take the wish to finalize ``level``."""
        self.generation += 1
        self.wanted_level, self.asked_with, self.moved_at = level, token, now

    def move(self, now: datetime) -> None:
        """Let its operator work until ``now``."""
        if self.moved_at is None or self.operator is not Operator.WORKS:
            self.moved_at = now
            return
        while not self.rolled and self.moved_at + self.per_broker <= now:
            self.moved_at += self.per_broker
            turn = next(number for number, broker in enumerate(self.brokers) if broker != self.wanted)
            self._roll(turn)
        if not self.settled and self.rolled and self.moved_at + self.per_broker <= now:
            self.level = self.wanted_level
        if self.settled:
            self.moved_at = now

    def _roll(self, turn: int) -> None:
        self.brokers[turn] = self.wanted
        served = built_in_catalog().releases[self.wanted].metadata_version
        if self.rolled and self.raises_itself and self.wanted_level is None and self.level and served:
            self.level = max(self.level, served)

    def read(self, *, full: bool) -> Reading | Unknown:
        """Return what it shows."""
        if not self.seen:
            return Unknown("no broker answers")
        findings = [BLOCKED] * self.sick + [ROLLING] * (not self.settled) + [GRUMBLE] * self.grumbles
        refuses = self.operator is Operator.REFUSES and not self.settled
        return Reading(
            min(self.brokers),
            max(self.brokers),
            self.wanted,
            str(self.generation),
            settled=self.settled,
            findings=tuple(findings) if full else (),
            metadata_version=self.level if self.level_told else None,
            wanted_metadata=self.wanted_level,
            zookeeper=self.zookeeper,
            full=full,
            kafka_id=self.kafka_id,
            held=self.held,
            fleet=self.mark,
            owner=self.owner,
            refused=f"{self.wanted if not self.rolled else self.wanted_level} is not supported" if refuses else None,
            supported=self.supported,
        )


@dataclass(slots=True)
class Fleet:
    """All clusters of the world, and the faults of its sources."""

    now: datetime
    """The true time."""
    clusters: dict[str, Cluster] = field(default_factory=dict)
    """By full name."""
    unreachable: set[str] = field(default_factory=set)
    """Sources that cannot be read."""
    stale: set[str] = field(default_factory=set)
    """Sources that show what they showed the last time."""
    always_full: bool = False
    """Every reading is a full one, asked for or not."""
    write_fault: Callable[[Start], WriteFault | None] = lambda _: None
    write_limit: timedelta = timedelta(seconds=30)
    late: list[tuple[datetime, Start]] = field(default_factory=list)
    shown: dict[str, SourceReading] = field(default_factory=dict)
    """By source: what it showed last."""
    read_now: dict[str, SourceReading] = field(default_factory=dict)
    """By source: what it showed since somebody cleared this."""
    witness: Callable[[Start], None] = lambda _: None
    """Called with each write before it has any effect."""
    has_brokers: Callable[[str], bool] = lambda _: False
    """Whether a cluster, by full name, has brokers to ask beside what its source shows."""
    said: dict[str, Reading | Unknown] = field(default_factory=dict)
    """By cluster: what it and its brokers showed together since somebody cleared this."""

    def add(self, cluster: Cluster) -> None:
        """Let a cluster be there."""
        self.clusters[cluster.name] = cluster

    def pass_time(self, by: timedelta) -> None:
        """Let ``by`` of true time pass."""
        self.now += by
        for due, start in tuple(self.late):
            if due <= self.now:
                self.late.remove((due, start))
                self._take_late(start, due)
        for cluster in self.clusters.values():
            cluster.move(self.now)

    def _take_late(self, start: Start, at: datetime) -> None:
        try:
            self.take(start, at)
        except ApplyRefused:
            return

    def take(self, start: Start, at: datetime) -> None:
        """Write ``start``, on its precondition; harmless where it was taken already. Raises ApplyRefused."""
        cluster = self.clusters.get(start.cluster)
        if cluster is None or not cluster.listed:
            raise ApplyRefused(f"{start.cluster} is gone")
        wanted = cluster.wanted if isinstance(start.target, KafkaVersion) else cluster.wanted_level
        if wanted == start.target and cluster.asked_with == start.token:
            return
        if start.token != str(cluster.generation):
            raise ApplyRefused(f"{start.cluster} was changed meanwhile: generation {cluster.generation}")
        if isinstance(start.target, KafkaVersion):
            cluster.ask(start.target, at, start.token)
            cluster.wanted_level = start.pinned or cluster.wanted_level
        else:
            cluster.ask_level(start.target, at, start.token)
        cluster.mark = start.fleet

    def write(self, start: Start) -> None:
        """Write ``start`` as a source does, with what goes wrong on the way."""
        self.witness(start)
        match self.write_fault(start):
            case None:
                self.take(start, self.now)
            case WriteFault.REFUSED:
                raise ApplyRefused(f"{start.cluster}: the admission webhook says no")
            case WriteFault.LOST:
                raise ApplyInDoubt(f"{start.cluster}: no answer")
            case WriteFault.UNSEEN:
                self.take(start, self.now)
                raise ApplyInDoubt(f"{start.cluster}: no answer")
            case WriteFault.TWICE:
                self.take(start, self.now)
                self.late.append((self.now + self.write_limit, start))
            case WriteFault.LATE:
                self.late.append((self.now + self.write_limit, start))
                raise ApplyInDoubt(f"{start.cluster}: no answer")

    def show(self, source: str, full: frozenset[str]) -> SourceReading:
        """Return what ``source`` shows now."""
        if source in self.unreachable:
            raise ObservationError(f"source {source}: connection reset")
        if source not in self.stale or source not in self.shown:
            self.shown[source] = self._show(source, full)
        self.read_now[source] = self.shown[source]
        return self.shown[source]

    def _show(self, source: str, full: frozenset[str]) -> SourceReading:
        return SourceReading(
            source,
            {
                cluster.name: ObservedCluster(
                    cluster.name,
                    dict(cluster.labels),
                    cluster.read(full=self.always_full or cluster.name in full),
                    Endpoints(expected=frozenset(range(len(cluster.brokers))))
                    if self.has_brokers(cluster.name)
                    else None,
                )
                for cluster in self.clusters.values()
                if cluster.listed and cluster.name.startswith(f"{source}/")
            },
        )


class ModelSource:
    """A FleetSource on the clusters of one source of a Fleet."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self._name = name
        self._fleet = fleet

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster of this source, as the world's own time has it."""
        del now
        return self._fleet.show(self._name, full)

    def start(self, start: Start, now: datetime) -> None:
        """Ask for ``start.target``, as FleetSource says."""
        del now
        self._fleet.write(start)


class ModelBrokers:
    """A BrokerHealth on the clusters of a Fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def examine(self, cluster: ObservedCluster, health: Health) -> Reading | Unknown:
        """Return what the cluster showed, and what its brokers say."""
        truth, reading = self._fleet.clusters.get(cluster.name), cluster.reading
        if isinstance(reading, Unknown):
            return reading
        said: Reading | Unknown = reading
        if truth is None or truth.brokers_silent:
            said = Unknown("no broker answers when it is asked")
        else:
            listed = health.consumer_groups if truth.lag_told else ()
            lag = {group: truth.lag.get(group, 0) for group in listed}
            said = replace(reading, findings=(*reading.findings, *truth.brokers_tell), lag=lag)
        self._fleet.said[cluster.name] = replace(said, by_brokers=True) if isinstance(said, Reading) else said
        return said


def unseen(cluster: ObservedCluster, why: str) -> ObservedCluster:
    """Return a cluster of a source that cannot be read."""
    return replace(cluster, reading=Unknown(why))
