"""What strikes the brokers of a play: they fall silent, tell of something wrong, consumers fall behind, rules change.

Draws from chances of its own, so that plays without it stay as they were.
"""

from dataclasses import replace
from random import Random
from zlib import crc32

from controller.model.health import Health
from controller.model.observation import Finding, Severity
from tests.simulation.fleet import TOLD_BY_BROKERS, Cluster
from tests.simulation.play import Play
from tests.simulation.world import Written

TOLD = (
    TOLD_BY_BROKERS,
    Finding("at_min_isr", Severity.WAIT, "1 partition has not one in-sync replica to spare"),
    Finding("rf1_topics", Severity.WARN, "1 topic has one copy"),
    Finding("quorum_size", Severity.WARN, "the quorum has 2 voters"),
    Finding("reassignment", Severity.BLOCK, "1 partition is being moved"),
    Finding("disk_usage", Severity.BLOCK, "a disk is 82% full", level=0.82),
    Finding("disk_usage", Severity.BLOCK, "a disk is 91% full", level=0.91),
    Finding("consumer_lag", Severity.WARN, "orders is 20,000 records behind", level=20_000),
)
"""What brokers tell of, in the severity that it has where a group says nothing else."""
CHECKS = ("offline_partitions", "under_replicated", *dict.fromkeys(each.id for each in TOLD))
SEVERITIES = (Severity.BLOCK, Severity.WAIT, Severity.WARN, None)
CONSUMERS = "orders"
LAGS = (0, 50, 150, 9_000, 12_000, 50_000)


class BrokerTrouble:
    """Strikes brokers now and then; in every fifth play groups have rules of their own for what those tell."""

    def __init__(self, play: Play, written: Written, seed: int) -> None:
        self.play = play
        self.written = written
        self._random = Random(f"{seed} of brokers")
        self._rules = Random(f"{seed} of rules for brokers") if seed % 5 == 0 else None
        share = self._random.choice((0, 0, 30, 100))
        if self._rules is not None:
            share = self._rules.choice((30, 100))
            for name in sorted(written.groups):
                self._change_rules(self._rules, name)
        play.fleet.has_brokers = lambda name: crc32(f"{seed} {name}".encode()) % 100 < share

    def strike(self) -> None:
        """Let something happen to some brokers, or nothing."""
        draw, clusters = self._random.random(), self.play.fleet.clusters
        if draw < 0.04:
            clusters[self._random.choice(sorted(clusters))].brokers_silent = True
        elif draw < 0.08:
            clusters[self._random.choice(sorted(clusters))].brokers_tell = (TOLD_BY_BROKERS,)
        elif draw < 0.16:
            for cluster in clusters.values():
                cluster.brokers_silent, cluster.brokers_tell = False, ()
        elif draw < 0.18 and self.written.groups:
            name = self._random.choice(sorted(self.written.groups))
            self._change(name, asks_brokers=not self.written.groups[name].health.asks_brokers)
        if self._rules is not None:
            self._strike_by_rules(self._rules)

    def _strike_by_rules(self, random: Random) -> None:
        draw, cluster = random.random(), self._some(random)
        if draw < 0.12:
            cluster.brokers_tell = tuple(random.sample(TOLD, random.choice((1, 1, 2))))
        elif draw < 0.3:
            cluster.lag[CONSUMERS] = random.choice(LAGS)
        elif draw < 0.33:
            cluster.lag_told = False
        elif draw < 0.37:
            for each in self.play.fleet.clusters.values():
                each.lag.clear()
                each.lag_told = True
        elif draw < 0.4 and self.written.groups:
            self._change_rules(random, random.choice(sorted(self.written.groups)))

    def _some(self, random: Random) -> Cluster:
        """Return some cluster, mostly one that was started."""
        clusters = self.play.fleet.clusters
        soaking = sorted(self.play.book.soaking() & clusters.keys()) if random.random() < 0.6 else []
        return clusters[random.choice(soaking or sorted(clusters))]

    def _change_rules(self, random: Random, name: str) -> None:
        """Let a group say what each check does there, where disks are full, and whose lag matters."""
        if random.random() < 0.2:
            self.written.change(name, replace(self.written.groups[name], health=Health()))
            return
        warn, block = random.choice(((0.80, 0.85), (0.70, 0.90), (0.85, 0.95)))
        self._change(
            name,
            severities={each: random.choice(SEVERITIES) for each in random.sample(CHECKS, random.randrange(4))},
            consumer_groups=random.choice(((), (CONSUMERS,), (CONSUMERS,))),
            lag_above=random.choice((0, 100, 10_000)),
            disk_warn=warn,
            disk_block=block,
        )

    def _change(self, name: str, **rules: object) -> None:
        group = self.written.groups[name]
        self.written.change(name, replace(group, health=replace(group.health, **rules)))  # type: ignore[arg-type]
