"""What strikes a play: faults of the fleet and the remote, crashes, clocks that step. ``calm`` ends all of them.

Every draw comes from the play's one Random, in the play's one thread. Writes happen in threads, so their faults follow
from a hash of the seed, the cycle and the cluster instead.
"""

from collections.abc import Callable
from random import Random

from controller.history.records import StopKind, Way
from controller.model.plan import Start
from controller.model.requests import FLEET, Command
from controller.versions import KafkaVersion
from tests.builders import HOUR, MINUTE, release
from tests.builders_core import releases_between
from tests.simulation.brokers import BrokerTrouble
from tests.simulation.fleet import Cluster, Operator, WriteFault
from tests.simulation.people import People
from tests.simulation.play import SOURCES, Play
from tests.simulation.process import Incident, Point, What
from tests.simulation.world import CLUSTERS_MAX, OLDER, OLDEST, Written, can_run, level_of, some_cluster

WRITE_FAULTS = tuple(WriteFault)
GATE_WEIGHTS = ((1, 0, 0), (6, 2, 1), (1, 2, 2))


class Trouble:
    """Strikes now and then, and now and then heals what it struck."""

    def __init__(self, random: Random, play: Play, written: Written, seed: int) -> None:
        self.random = random
        self.play = play
        self.written = written
        self.people = People(random, play, written)
        self.seed = seed
        self._apart = Random(f"{seed} while a level is raised")
        """Drawn from only where that is so, so that all other plays stay as they were."""
        self._seeming = Random(f"{seed} of what seems to have failed")
        self.brokers = BrokerTrouble(play, written, seed)
        self.write_trouble = random.choice((0.0, 0.1, 0.4))
        play.fleet.write_fault = self._write_fault
        play.gates.seed, play.gates.weights = seed, random.choice(GATE_WEIGHTS)
        self._weighted: list[tuple[int, Callable[[], None]]] = [
            (10, self.people.acknowledge),
            (6, self.people.edit),
            (2, self.people.command),
            (3, self.people.go_on),
            (3, self.people.mend_head),
            (2, self.people.revert),
            (2, self.others_finalize),
            (1, self.hide_level),
            (2, self.change_gates),
            (1, self.vanish_group),
            (6, self.sicken),
            (8, self.heal),
            (5, self.change_operator),
            (4, self.blind),
            (3, self.lose_source),
            (8, self.find_sources),
            (1, self.serve_stale),
            (2, self.vanish),
            (3, self.come_back),
            (2, self.join),
            (2, self.others_change),
            (8, self.others_help),
            (1, self.annotate),
            (1, self.own),
            (1, self.show_twice),
            (2, self.replace_cluster),
            (2, self.cut_remote),
            (6, self.mend_remote),
            (1, self.rewrite),
            (1, self.commit_nonsense),
            (1, self.sleep),
            (1, self.step_clock),
            (12, self.strike_process),
            (2, play.restart),
        ]

    def strike(self) -> None:
        """Let something happen, or nothing."""
        if self.random.random() < 0.4:
            weights = [weight for weight, _ in self._weighted]
            actions = [action for _, action in self._weighted]
            self.random.choices(actions, weights)[0]()
        self._sicken_while_finalizing()
        self._sicken_what_only_seems_to_have_failed()
        self.brokers.strike()

    def _sicken_while_finalizing(self) -> None:
        """Let a cluster fall ill whose level is being raised while its rollout to the release still runs."""
        running = [each for each in self.play.book.rollouts.values() if each.outcome is None]
        raised = {name for each in running for name, note in each.clusters.items() if note.state == "started"}
        proven = {name for each in running for name, note in each.clusters.items() if note.state == "soaked"}
        for name in sorted(raised & proven & self.play.fleet.clusters.keys()):
            if self._apart.random() < 0.5:
                cluster = self.play.fleet.clusters[name]
                cluster.sick, cluster.operator = True, Operator.IDLE

    def _sicken_what_only_seems_to_have_failed(self) -> None:
        """Let clusters fall ill that are to go down and did not fail, or not in what was done to them last."""
        book, clusters = self.play.book, self.play.fleet.clusters
        for rollout in [each for each in book.rollouts.values() if each.outcome is None]:
            for name, note in rollout.clusters.items():
                called_off = note.state == "failed" and not note.ill
                earlier = (each.clusters[name] for each in book.rollouts.values() if name in each.clusters)
                once = rollout.way is Way.DOWN and note.state == "pending" and any(each.ill for each in earlier)
                made_good = once and not book.was_ill(rollout.group, name)
                if (called_off or made_good) and name in clusters and self._seeming.random() < 0.7:
                    clusters[name].sick = True

    def _some(self) -> Cluster:
        """Return some cluster, mostly one that a running rollout has moved."""
        rollouts = [each for each in self.play.book.rollouts.values() if each.outcome is None]
        moved = {name for each in rollouts for name, note in each.clusters.items() if note.state != "pending"}
        clusters = self.play.fleet.clusters
        names = sorted(moved & clusters.keys()) if self.random.random() < 0.5 else []
        return clusters[self.random.choice(names or sorted(clusters))]

    def sicken(self) -> None:
        """Let a cluster be unhealthy."""
        self._some().sick = True

    def heal(self) -> None:
        """Let every cluster be well, seen, and served by a working operator."""
        for cluster in self.play.fleet.clusters.values():
            heal(cluster)

    def change_operator(self) -> None:
        """Let an operator be idle, refuse, or tell what it supports."""
        cluster = self._some()
        cluster.operator = self.random.choice((Operator.IDLE, Operator.REFUSES))
        if self.random.random() < 0.2:
            cluster.supported = releases_between("3.9.0", "4.2.2")

    def blind(self) -> None:
        """Let nobody see a cluster."""
        self._some().seen = False

    def lose_source(self) -> None:
        """Let a source be out of reach."""
        self.play.fleet.unreachable.add(self.random.choice(SOURCES))

    def find_sources(self) -> None:
        """Let every source be in reach, and show what is."""
        self.play.fleet.unreachable.clear()
        self.play.fleet.stale.clear()

    def serve_stale(self) -> None:
        """Let a source show what it showed the last time, for a while."""
        self.play.fleet.stale.add(self.random.choice(SOURCES))

    def vanish(self) -> None:
        """Let a cluster not be listed, or everything of a source."""
        source = self.random.choice(SOURCES)
        for cluster in [*self.play.fleet.clusters.values()] if self.random.random() < 0.1 else [self._some()]:
            if cluster.name.startswith(source) or self.random.random() < 0.5:
                cluster.listed = False

    def vanish_group(self) -> None:
        """Let every cluster of a group not be listed."""
        group = self._some().labels["group"]
        for cluster in self.play.fleet.clusters.values():
            cluster.listed = cluster.listed and cluster.labels["group"] != group

    def change_gates(self) -> None:
        """Let outside gates answer otherwise."""
        self.play.gates.weights = self.random.choice(GATE_WEIGHTS)

    def others_finalize(self) -> None:
        """Let somebody else raise a cluster's level, by its resource or past it."""
        cluster = self._some()
        served = level_of(min(cluster.brokers))
        if cluster.level is None or served is None or not cluster.rolled or served <= cluster.level:
            return
        if self.random.random() < 0.5:
            cluster.level = served
        else:
            cluster.ask_level(served, self.play.fleet.now)

    def hide_level(self) -> None:
        """Let nobody tell a cluster's level."""
        self._some().level_told = False

    def come_back(self) -> None:
        """Let every cluster be listed."""
        for cluster in self.play.fleet.clusters.values():
            cluster.listed = True

    def join(self) -> None:
        """Let a new cluster be there, or an old one be in another group."""
        groups = sorted(self.written.groups) or ["nobody"]
        labels = {"group": self.random.choice(groups)}
        if self.random.random() < 0.5 or len(self.play.fleet.clusters) >= CLUSTERS_MAX:
            self._some().labels.update(labels)
        else:
            name = f"new-{len(self.play.fleet.clusters)}"
            releases = self.random.choice((OLDER, OLDER, OLDEST))
            self.play.fleet.add(some_cluster(self.random, name, labels, releases))

    def others_change(self) -> None:
        """Let somebody else ask a cluster for a release."""
        wanted = release(self.random.choice((*OLDER, "4.3.1")))
        cluster = self._some()
        if can_run(wanted, cluster.level):
            cluster.ask(wanted, self.play.fleet.now)

    def others_help(self) -> None:
        """Let somebody ask for the very release for which our own start was not taken."""
        for rollout in self.play.book.rollouts.values():
            tried = [name for name, note in rollout.clusters.items() if note.state == "pending" and note.started_at]
            for name in tried:
                cluster = self.play.fleet.clusters.get(name)
                if cluster is None or not isinstance(rollout.target, KafkaVersion) or rollout.outcome is not None:
                    continue
                if can_run(rollout.target, cluster.level):
                    cluster.ask(rollout.target, self.play.fleet.now)

    def annotate(self) -> None:
        """Let a person hold a cluster by its annotation, or let it go."""
        cluster = self._some()
        cluster.held = "INC-1" if cluster.held is None else None

    def own(self) -> None:
        """Let another fleet, or another tool, own a cluster."""
        cluster = self._some()
        if self.random.random() < 0.5:
            cluster.mark = "another"
        else:
            cluster.owner = "Argo CD owns its version"

    def show_twice(self) -> None:
        """Let one of two clusters show the id of the other."""
        cluster, other = self._some(), self._some()
        cluster.kafka_id = other.kafka_id = "kafka-1"

    def replace_cluster(self) -> None:
        """Let another cluster have the name of one, as Kafka's own id shows."""
        cluster = self._some()
        cluster.kafka_id = f"kafka-{self.random.randrange(2, 99)}"
        if self.random.random() < 0.5:
            old = release(self.random.choice(OLDER))
            cluster.brokers, cluster.wanted, cluster.wanted_level = [old] * 2, old, None
            cluster.level, cluster.zookeeper = level_of(old), False
            cluster.generation += 1

    def cut_remote(self) -> None:
        """Let the remote be out of reach."""
        self.play.repository.unreachable = "connection refused"

    def mend_remote(self) -> None:
        """Let the remote be in reach."""
        self.play.repository.unreachable = None

    def rewrite(self) -> None:
        """Write the branch's history over."""
        self.play.repository.rewrite(self.written.declaration)

    def commit_nonsense(self) -> None:
        """Commit what is refused."""
        self.people.commit_nonsense()

    def sleep(self) -> None:
        """Let nothing run for a while, such as when the machine is down."""
        self.play.pass_time(self.random.choice((10 * MINUTE, 3 * HOUR)))

    def step_clock(self) -> None:
        """Let the controller's clock step, forth or back."""
        self.play.clock.advance(self.random.choice((-30, -5, -1, 5, 40)) * MINUTE)

    def strike_process(self) -> None:
        """Let something happen at an effect boundary of the next cycle."""
        point = self.random.choice(list(Point))
        what = What.DIES
        if point not in (Point.BEFORE_WRITE, Point.AFTER_WRITE):
            what = self.random.choice((What.DIES, What.DIES, What.LEDGER_FAILS, What.SLOW))
            self.play.slowness = self.random.choice((MINUTE, 4 * MINUTE))
        if point in (Point.BEFORE_PLAN_RECORD, Point.AFTER_PLAN_RECORD) and self.random.random() < 0.4:
            what = What.TAKEN_OVER
        self.play.process.incident = Incident(point, what, self.random.choice((0, 0, 1, 2)))

    def _write_fault(self, start: Start) -> WriteFault | None:
        lot = Random(f"{self.seed} {self.play.cycles} {start.cluster}")
        return lot.choice(WRITE_FAULTS) if lot.random() < self.write_trouble else None

    def calm(self) -> None:
        """End every fault that is not a person's to lift; what people did stays done."""
        self.write_trouble = 0.0
        self.play.gates.weights = GATE_WEIGHTS[0]
        self.find_sources()
        self.come_back()
        self.heal()
        self.mend_remote()
        self.play.process.incident = None
        if not self._head_is_good():
            self.people.mend_head()

    def _head_is_good(self) -> bool:
        commit = self.play.repository.commits[self.play.repository.head or ""]
        return not isinstance(commit.content, tuple)

    def lift_everything(self) -> None:
        """Let people lift everything that only they can lift."""
        self.people.lift_everything()
        self.play.ask(Command.RESUME, FLEET)
        head = self.play.repository.head
        if head is not None:
            self.play.ask(Command.RESUME, FLEET, revision=head[:10])
        for stop in self.play.book.open_stops(kind=StopKind.HALT):
            if stop.scope != FLEET:
                self.play.ask(Command.RESUME, stop.scope)
        for stop in self.play.book.open_stops():
            if stop.scope not in {FLEET, *self.written.groups}:
                self.play.ask(Command.RESUME, stop.scope, stop.number)
        for cluster in self.play.fleet.clusters.values():
            cluster.held = cluster.owner = cluster.supported = None
            cluster.mark = None if cluster.mark == "another" else cluster.mark
            cluster.kafka_id = None


def heal(cluster: Cluster) -> None:
    """Let a cluster be well, seen, and served by a working operator."""
    cluster.sick = cluster.brokers_silent = False
    cluster.brokers_tell, cluster.lag, cluster.lag_told = (), {}, True
    cluster.seen = cluster.level_told = True
    cluster.operator = Operator.WORKS
