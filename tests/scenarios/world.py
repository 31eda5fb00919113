"""The world of a story: one ``do_`` method for each command, over the real controller cycle.

The controller, the core and the loader are the product's own. The ledger is the one in memory; the live fleet, the
branch and the process that can die are the simulation's models. A minute passes before every cycle. What each command
does for whoever writes a story stands in README.md beside this file.
"""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from controller.core.inquiry import explain_cluster, matching
from controller.history.entries import Entry
from controller.model.declaration import ExternalGate
from controller.model.durations import parse_duration
from controller.model.names import last_part
from controller.model.observation import GateReading
from controller.model.outbox import CommitStatus, Delivery, ThreadReply
from controller.model.plan import Plan
from controller.model.requests import Command, Request
from controller.ports import GateQuestion
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Pace
from tests.builders import release
from tests.builders_core import catalog, releases_between
from tests.scenarios.files import SOURCES, StoryFiles
from tests.scenarios.telling import explained, holds_of, lines_of
from tests.simulation.fleet import Cluster, Fleet, ModelSource, Operator, WriteFault
from tests.simulation.process import Incident, Point, Process, ProcessDied, SharedLedger, What
from tests.simulation.repository import MemoryRepository

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
POLL = timedelta(minutes=1)
WRITE_LIMIT = timedelta(seconds=30)
BROKERS = 3
"""Of every cluster; each takes a minute to be rolled."""


class StoryGates:
    """The outside systems that groups name under ``gates``, each saying what the story lets it say."""

    def __init__(self) -> None:
        self.answers: dict[str, GateReading] = {}
        self.asked: list[tuple[str, GateQuestion]] = []

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Return what the gate says now."""
        self.asked.append((gate.name, question))
        return self.answers.get(gate.name, GateReading(passed=None, detail="connection refused"))


class World:
    """Everything that a story can touch."""

    def __init__(self) -> None:
        self.clock = VirtualClock(BEGIN)
        self.write_faults: dict[str, WriteFault] = {}
        self.fleet = Fleet(BEGIN, always_full=True, write_limit=WRITE_LIMIT)
        self.fleet.write_fault = lambda start: self.write_faults.get(start.cluster)
        self.gates = StoryGates()
        self.files = StoryFiles()
        self.repository = MemoryRepository()
        self.ledger = SharedLedger()
        self.commits: list[str] = []
        self.plan: Plan | None = None
        self.observe_only = False
        self._upto = 0
        self.process = self._new_process()

    def run(self, command: str, body: str) -> str:
        """Carry out one command and return what came of it."""
        word, *words = command.split()
        outcome: str = getattr(self, f"do_{word}")(words, body) or "ok"
        for number, revision in enumerate(self.commits, start=1):
            outcome = outcome.replace(revision, f"c{number}").replace(revision[:10], f"c{number}")
        return outcome

    # What people merge and say.

    def do_fleet(self, _: list[str], body: str) -> str:
        """Merge a fleet.yaml with these keys."""
        self.files.fleet(body)
        return self._commit()

    def do_group(self, words: list[str], body: str) -> str:
        """Merge a group with a target and these keys."""
        self.files.group(words[0], words[1], body)
        return self._commit()

    def do_releases(self, _: list[str], body: str) -> str:
        """Merge a releases.yaml."""
        self.files.releases(body)
        return self._commit()

    def do_remove(self, words: list[str], _: str) -> str:
        """Merge the removal of a group."""
        self.files.remove(words[0])
        return self._commit()

    def do_rewrite(self, _: list[str], __: str) -> str:
        """Write the branch's history over with one commit of what stands in it now."""
        self.commits.append(self.repository.rewrite(self.files.content()))
        return f"history rewritten, the head is c{len(self.commits)}"

    def _commit(self) -> str:
        self.commits.append(self.repository.commit(self.files.content()))
        return f"merged c{len(self.commits)}"

    def do_halt(self, words: list[str], _: str) -> None:
        """Ask for a halt: scope, then the reason."""
        self._ask(Command.HALT, words[0], " ".join(words[1:]))

    def do_resume(self, words: list[str], _: str) -> None:
        """Ask to resume: a scope and perhaps a number, or ``--revision`` and a commit."""
        if words[0] == "--revision":
            revision = self.commits[int(words[1][1:]) - 1]
            self._ask(Command.RESUME, "fleet", "meant so", revision=revision[:10])
        else:
            self._ask(Command.RESUME, words[0], "looked at", number=int(words[1]) if len(words) > 1 else None)

    def _ask(
        self, command: Command, scope: str, reason: str, *, number: int | None = None, revision: str | None = None
    ) -> None:
        request = Request(0, command, scope, "ana", reason, self.clock.now(), number, revision)
        self.ledger.memory.ask(request)

    # What happens to clusters and sources.

    def do_clusters(self, words: list[str], _: str) -> None:
        """Let clusters be there: group, release, names."""
        version = release(words[1])
        for name in words[2:]:
            full = name if "/" in name else f"{SOURCES[0]}/{name}"
            level = catalog().releases[version].metadata_version
            self.fleet.add(Cluster(full, {"group": words[0]}, [version] * BROKERS, version, level))

    def do_labels(self, words: list[str], _: str) -> None:
        """Label clusters, beside what they are labelled already: labels as ``key=value``, then names."""
        labels = dict(word.split("=", 1) for word in words if "=" in word)
        for name in words[len(labels) :]:
            self._cluster(name).labels.update(labels)

    def do_level(self, words: list[str], _: str) -> None:
        """Let clusters have a metadata.version, whoever finalized it: level, then names."""
        for name in words[1:]:
            cluster, level = self._cluster(name), catalog().metadata_versions[words[0]]
            cluster.level, cluster.wanted_level = level, cluster.wanted_level and level

    def do_zookeeper(self, words: list[str], _: str) -> None:
        """Let clusters run on ZooKeeper."""
        for name in words:
            self._cluster(name).zookeeper, self._cluster(name).level = True, None

    def do_migrate(self, words: list[str], _: str) -> None:
        """Let somebody migrate clusters from ZooKeeper to KRaft."""
        for name in words:
            cluster = self._cluster(name)
            cluster.zookeeper, cluster.level = False, catalog().releases[cluster.wanted].metadata_version

    def do_gate(self, words: list[str], _: str) -> None:
        """Let an external gate say ``yes`` or ``no``, or give no ``answer``, with its words."""
        passed = {"yes": True, "no": False, "silent": None}[words[1]]
        self.gates.answers[words[0]] = GateReading(passed, " ".join(words[2:]))

    def do_move(self, words: list[str], _: str) -> None:
        """Label a cluster into another group."""
        self._cluster(words[0]).labels["group"] = words[1]

    def do_lose(self, words: list[str], _: str) -> None:
        """Let a cluster be unknown: listed, but not readable."""
        self._cluster(words[0]).seen = False

    def do_find(self, words: list[str], _: str) -> None:
        """Let it be readable again."""
        self._cluster(words[0]).seen = True

    def do_vanish(self, words: list[str], _: str) -> None:
        """Let no source list a cluster any more."""
        self._cluster(words[0]).listed = False

    def do_appear(self, words: list[str], _: str) -> None:
        """Let its source list it again."""
        self._cluster(words[0]).listed = True

    def do_sick(self, words: list[str], _: str) -> None:
        """Let a cluster be unhealthy."""
        self._cluster(words[0]).sick = True

    def do_well(self, words: list[str], _: str) -> None:
        """Let it be healthy again."""
        self._cluster(words[0]).sick = False

    def do_operator(self, words: list[str], _: str) -> None:
        """Let the operator of a cluster work, be idle, or refuse what it is asked for."""
        self._cluster(words[0]).operator = Operator(words[1])

    def do_writes(self, words: list[str], _: str) -> None:
        """Let writes to a cluster be refused, lost, unseen, late, or fine."""
        name = self._cluster(words[0]).name
        if words[1] == "fine":
            self.write_faults.pop(name, None)
        else:
            self.write_faults[name] = WriteFault(words[1])

    def do_change(self, words: list[str], _: str) -> None:
        """Let somebody else change the release of a cluster, at once."""
        cluster, version = self._cluster(words[0]), release(words[1])
        cluster.ask(version, self.fleet.now)
        cluster.brokers = [version] * BROKERS

    def do_annotate(self, words: list[str], _: str) -> None:
        """Hold a cluster by its annotation; without a reason, take that away."""
        self._cluster(words[0]).held = " ".join(words[1:]) or None

    def do_id(self, words: list[str], _: str) -> None:
        """Let a cluster show a Kafka cluster id."""
        self._cluster(words[0]).kafka_id = words[1]

    def do_mark(self, words: list[str], _: str) -> None:
        """Let a cluster bear the mark of a fleet."""
        self._cluster(words[0]).mark = words[1]

    def do_supports(self, words: list[str], _: str) -> None:
        """Let the operator of a cluster support releases from one to another."""
        self._cluster(words[0]).supported = releases_between(words[1], words[2])

    def do_source(self, words: list[str], _: str) -> None:
        """Let a source be down, or up again."""
        (self.fleet.unreachable.add if words[1] == "down" else self.fleet.unreachable.discard)(words[0])

    def do_git(self, words: list[str], _: str) -> None:
        """Let the remote be down, or up again."""
        self.repository.unreachable = "connection refused" if words[0] == "down" else None

    def do_health(self, words: list[str], _: str) -> None:
        """Let health be read of ``everybody`` in each cycle, or only of those ``asked``, as real sources do."""
        self.fleet.always_full = words[0] == "everybody"

    def _cluster(self, name: str) -> Cluster:
        full = name if "/" in name else f"{SOURCES[0]}/{name}"
        return self.fleet.clusters[full]

    # What happens to the controller.

    def do_cycle(self, _: list[str], __: str) -> str:
        """Let a minute pass and run one cycle; tells what it recorded and everything that holds."""
        lines = list(self._cycle())
        holds = [] if self.plan is None else holds_of(self.plan)
        return "\n".join([*lines, *holds]) or "quiet"

    def do_wait(self, words: list[str], _: str) -> str:
        """Run a cycle every minute for so long; tells what they recorded."""
        cycles = parse_duration(words[0]) // POLL
        return "\n".join(line for _ in range(cycles) for line in self._cycle()) or "quiet"

    def do_down(self, words: list[str], _: str) -> None:
        """Let the controller be down for so long, and start it again."""
        self._pass_time(parse_duration(words[0]))
        self.process = self._new_process()

    def do_stall(self, words: list[str], _: str) -> None:
        """Let the controller stand still for so long, and go on with all that it remembers."""
        self._pass_time(parse_duration(words[0]))

    def do_die(self, words: list[str], _: str) -> None:
        """Let the process die in its next cycle at a point, such as ``after the plan is recorded``."""
        self.process.incident = Incident(Point(" ".join(words)), What.DIES)

    def do_forget(self, _: list[str], __: str) -> None:
        """Lose the ledger, and begin with an empty one."""
        self.ledger, self._upto = SharedLedger(), 0
        self.process = self._new_process()

    def do_mode(self, words: list[str], _: str) -> None:
        """Start the controller again, to ``observe`` only or to ``act``."""
        self.observe_only = words[0] == "observe"
        self.process = self._new_process()

    def _new_process(self) -> Process:
        sources = [ModelSource(name, self.fleet) for name in SOURCES]
        pace = Pace(POLL, timedelta(minutes=10), WRITE_LIMIT, self.observe_only)
        return Process(self.ledger, self.repository, sources, self.clock, pace, gates=self.gates)

    def _pass_time(self, by: timedelta) -> None:
        self.fleet.pass_time(by)
        self.clock.advance(by)

    def _cycle(self) -> Iterator[str]:
        self._pass_time(POLL)
        died = ""
        try:
            self.plan = self.process.run_cycle()
        except ProcessDied as death:
            died = f"the process dies {death}, another one takes its place"
            self.process = self._new_process()
        time = f"{self.clock.now():%a %H:%M}"
        for line in lines_of(self._recorded(), self.process.controller.history):
            yield f"{time} {line}"
        if died:
            yield f"{time} {died}"

    def _recorded(self) -> list[Entry]:
        recorded = list(self.ledger.memory.read(self._upto))
        self._upto = recorded[-1].sequence if recorded else self._upto
        return [each.entry for each in recorded]

    # What people ask and read.

    def do_status(self, _: list[str], __: str) -> str:
        """Tell every group's sentence of the last cycle."""
        assert self.plan is not None, "no cycle has judged anything yet"
        return "\n".join(f"{view.state}: {view.sentence}" for view in self.plan.groups)

    def do_explain(self, words: list[str], _: str) -> str:
        """Tell why a cluster does not move."""
        _sighting, snapshot = self.process.controller.observe(self.clock.now())
        assert snapshot is not None, "nothing valid was ever declared"
        (full,) = matching(snapshot, words[0])
        told = explain_cluster(snapshot, full)
        state = f"{told.state or 'in no rollout'}{f', wave {told.wave}' if told.wave else ''}"
        return "\n".join([f"{state}: {told.sentence}", *explained(told.holds)])

    def do_look(self, _: list[str], __: str) -> str:
        """Tell what every cluster truly runs."""
        return "\n".join(
            f"{last_part(each.name)} {' '.join(sorted({str(broker) for broker in each.brokers}))}"
            for each in self.fleet.clusters.values()
        )

    def do_questions(self, _: list[str], __: str) -> str:
        """Tell what external gates were asked since the last time, each question once."""
        asked, self.gates.asked = self.gates.asked, []
        lines = [f"{name} was asked about {q.group}: {q.kind} to {q.target}" for name, q in asked]
        return "\n".join(sorted(set(lines))) or "nobody was asked"

    def do_levels(self, _: list[str], __: str) -> str:
        """Tell what metadata.version every cluster truly has."""
        return "\n".join(
            f"{last_part(each.name)} {'ZooKeeper' if each.zookeeper else each.level}"
            for each in self.fleet.clusters.values()
        )

    def do_warnings(self, _: list[str], __: str) -> str:
        """Tell what the last cycle warned of."""
        assert self.plan is not None, "no cycle has judged anything yet"
        return "\n".join(f"{view.name}: {text}" for view in self.plan.groups for text in view.warnings) or "none"

    def do_statuses(self, _: list[str], __: str) -> str:
        """Tell the commit statuses posted since the last time."""
        bodies = [each.message.body for each in self._delivered("notes")]
        statuses = [body for body in bodies if isinstance(body, CommitStatus)]
        return "\n".join(f"{each.revision} {each.context} {each.state}: {each.description}" for each in statuses)

    def do_thread(self, _: list[str], __: str) -> str:
        """Tell what was said on Slack since the last time."""
        return "\n".join(self._said(each) for each in self._delivered("slack"))

    def _said(self, delivery: Delivery) -> str:
        body = delivery.message.body
        assert not isinstance(body, CommitStatus), body
        if not isinstance(body, ThreadReply):
            return f"[{body.thread}] {body.title}: {body.state}, {body.done} of {body.of}"
        person = " (needs a person)" if body.needs_person else ""
        return f"[{body.thread}] {textwrap.indent(body.text, '    ').strip()}{person}"

    def _delivered(self, channel: str) -> Iterator[Delivery]:
        outbox, now = self.ledger.memory.outbox, self.clock.now()
        while (delivery := outbox.due(channel, now)) is not None:
            outbox.delivered(delivery, "told", now)
            yield delivery
