"""What people do in a play: they commit, acknowledge, approve, halt and resume, and sometimes break the head."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

from controller.errors import Problem
from controller.model.declaration import Approval, ClusterGroup, Declaration, DomainLimit, Expedite, OnFailure, Selector
from controller.model.requests import FLEET, Command
from controller.versions import Target
from tests.builders import HOUR, MINUTE, place, release
from tests.builders_core import a_freeze, a_hold, a_size, a_window, catalog
from tests.simulation.play import Play
from tests.simulation.rules_ways import level_of as declared_level
from tests.simulation.scene import claims
from tests.simulation.world import (
    GROUPS,
    TARGETS,
    Written,
    fitting,
    level_of,
    some_gates,
    some_group,
    some_metadata,
    some_waves,
)

NONSENSE = (Problem("groups/prod.yaml", 3, "spec.kafkaVersion", "'4.three'", "a release such as 4.3.1"),)


class People:
    """Act on a play by chance, one thing at a time."""

    def __init__(self, random: Random, play: Play, written: Written) -> None:
        self.random = random
        self.play = play
        self.written = written
        self._edits: list[Callable[[str, ClusterGroup], ClusterGroup | None]] = [
            self._bump,
            self._bump,
            self._bump,
            self._replan,
            self._budget,
            self._deadline,
            self._samples,
            self._window,
            self._hold,
            self._hold,
            self._approve,
            self._approve,
            self._accept,
            self._halt_group,
            self._claim,
            self._claim,
            self._chain,
            self._remove,
            self._freeze,
            self._limit,
            self._halt_fleet,
            self._block,
            self._on_failure,
            self._metadata,
            self._gates,
            self._expedite,
            self._expedite,
            self._domains,
        ]

    def edit(self) -> None:
        """Commit some change, or a group that was not there."""
        missing = [name for name in GROUPS if name not in self.written.groups]
        if not self.written.groups or (missing and self.random.random() < 0.05):
            name = self.random.choice(missing)
            self.written.change(name, some_group(self.random, name))
            return
        name = self.random.choice(sorted(self.written.groups))
        changed = self.random.choice(self._edits)(name, self.written.groups[name])
        if changed is not None:
            self.written.groups[name] = changed
        self.written.commit()

    def revert(self) -> None:
        """Commit what some earlier valid revision declared, such as the lower target before a bump."""
        contents = [commit.content for commit in self.play.repository.commits.values()]
        self.written.take(self.random.choice([each for each in contents if isinstance(each, Declaration)][-6:]))
        self.written.commit()

    def commit_nonsense(self) -> None:
        """Commit what is refused."""
        self.play.repository.commit(NONSENSE)

    def mend_head(self) -> None:
        """Commit what is written."""
        self.written.commit()

    def acknowledge(self) -> None:
        """Acknowledge what stopped, in Git, and now and then a number that nobody knows."""
        for name, group in self.written.groups.items():
            numbers = {stop.number for stop in self.play.book.open_stops(name)}
            if self.random.random() < 0.1:
                numbers.add(self.random.choice((7, 20)))
            self.written.groups[name] = replace(group, acknowledge=group.acknowledge | numbers)
        self.written.commit()

    def command(self) -> None:
        """Halt or resume a group or the fleet by command, and accept a rewritten history."""
        scope = self.random.choice((*sorted(self.written.groups), FLEET, "nobody"))
        head = self.play.repository.head
        match self.random.choice(("halt", "resume", "resume", "accept")):
            case "halt":
                self.play.ask(Command.HALT, scope)
            case "resume":
                self.play.ask(Command.RESUME, scope, self.random.choice((None, 1, 2)))
            case _ if head is not None:
                self.play.ask(Command.RESUME, FLEET, revision=head[:10])

    def go_on(self) -> None:
        """Resume the fleet, and accept the head as it is."""
        self.written.halted = False
        self.play.ask(Command.RESUME, FLEET)
        head = self.play.repository.head
        if head is not None:
            self.play.ask(Command.RESUME, FLEET, revision=head[:10])

    def lift_everything(self) -> None:
        """Lift every hold that stands in Git."""
        for name, group in self.written.groups.items():
            self.written.groups[name] = replace(
                group,
                after=tuple(each for each in group.after if self._can_wait_for(group, each)),
                halted=False,
                holds=(),
                windows=(),
                acknowledge=group.acknowledge | {stop.number for stop in self.play.book.open_stops(name)},
                accept_risks=group.accept_risks | {"KIP-896", "KAFKA-20322", "KAFKA-20505"},
                approvals=self._every_approval(group),
                strategy=replace(group.strategy, deadline=max(group.strategy.deadline, 20 * MINUTE)),
            )
        self.written.freezes.clear()
        self.written.blocked.clear()
        self.written.halted = False
        self.written.commit()

    def _every_approval(self, group: ClusterGroup) -> tuple[Approval, ...]:
        """Approve every wave for everything that the group is on its way to."""
        targets = {each.target for each in self.play.book.rollouts.values() if each.outcome is None}
        levels = {level for level in (level_of(group.target),) if level is not None}
        return tuple(
            _approval(wave.name, target)
            for wave in group.strategy.waves
            for target in sorted({group.target, *targets, *levels}, key=str)
        )

    def _can_wait_for(self, group: ClusterGroup, name: str) -> bool:
        """Tell whether ``group`` can go after the group ``name`` at all: it has clusters, and declares no less."""
        other = self.written.groups.get(name)
        if other is None or other.target < group.target:
            return False
        levels = declared_level(catalog(), other), declared_level(catalog(), group)
        if None not in levels and levels[0] < levels[1]:  # type: ignore[operator]
            return False
        clusters = self.play.fleet.clusters.values()
        return any(each.listed and claims(other, each.name, each.labels) for each in clusters)

    def _bump(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        target = release(self.random.choice(TARGETS))
        return replace(group, target=target, metadata_version=fitting(target, group.metadata_version))

    def _on_failure(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        return replace(group, strategy=replace(group.strategy, on_failure=self.random.choice(list(OnFailure))))

    def _metadata(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        soak = self.random.choice((2, 5, 15)) * MINUTE
        level = fitting(group.target, some_metadata(self.random))
        return replace(group, metadata_version=level, finalize_soak=soak)

    def _gates(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        return replace(group, gates=() if group.gates else some_gates(self.random))

    def _expedite(self, name: str, group: ClusterGroup) -> None:
        now, any_time = self.play.clock.now(), self.random.choice((True, False))
        self.written.expedite = [each for each in self.written.expedite if now < each.until][-2:]
        self.written.expedite.append(
            Expedite(
                group.target,
                (self.random.choice((name, "*")),),
                "CVE-2026-111115",
                "ana",
                now + self.random.choice((10 * MINUTE, 2 * HOUR)),
                place(file="fleet.yaml"),
                self.random.choice((None, MINUTE)),
                any_time,
                any_time and self.random.random() < 0.5,
            )
        )

    def _domains(self, name: str, group: ClusterGroup) -> None:
        del name, group
        self.written.per_domain = self.random.choice(((), (DomainLimit("rack", self.random.choice((1, 2))),)))
        self.written.never_together = self.random.choice(((), ("pair",)))

    def _replan(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        return replace(group, strategy=replace(group.strategy, waves=some_waves(self.random)))

    def _budget(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        budget = a_size(self.random.choice(("0", "1", "3")))
        return replace(group, strategy=replace(group.strategy, failure_budget=budget))

    def _deadline(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        deadline = self.random.choice((3, 8, 20)) * MINUTE
        return replace(group, strategy=replace(group.strategy, deadline=deadline))

    def _samples(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        return replace(group, samples=self.random.choice((1, 2, 3)))

    def _window(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        if group.windows:
            return replace(group, windows=())
        hour = self.play.clock.now().hour
        begin, end = f"{(hour + self.random.choice((0, 1))) % 24:02}:10", f"{(hour + 3) % 24:02}:30"
        return replace(group, windows=(a_window(begin, end, self.random.choice(("UTC", "Europe/Berlin"))),))

    def _hold(self, name: str, group: ClusterGroup) -> ClusterGroup:
        ours = sorted(each for each, one in self.play.fleet.clusters.items() if one.labels["group"] == name)
        if group.holds or not ours:
            return replace(group, holds=())
        until = self.random.choice((None, self.play.clock.now() + 20 * MINUTE))
        held = self.random.choice(ours)
        return replace(group, holds=(a_hold(self.random.choice((held, held.rsplit("/", 1)[-1])), until),))

    def _approve(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        until = self.random.choice((None, self.play.clock.now() + 10 * MINUTE))
        wave = self.random.choice(group.strategy.waves)
        level = level_of(group.target)
        target = level if level is not None and self.random.random() < 0.3 else group.target
        return replace(group, approvals=(_approval(wave.name, target, until),))

    def _accept(self, name: str, group: ClusterGroup) -> ClusterGroup:
        halts = [f"{stop.scope}-{stop.number}" for stop in self.play.book.open_stops() if stop.scope != name]
        risks = self.random.choice((["KIP-896"], ["KAFKA-20322", "KAFKA-20505"], halts))
        return replace(group, accept_risks=group.accept_risks | set(risks))

    def _halt_group(self, name: str, group: ClusterGroup) -> ClusterGroup:
        del name
        return replace(group, halted=not group.halted)

    def _claim(self, name: str, group: ClusterGroup) -> ClusterGroup:
        """Claim another group's clusters as well, or only one's own."""
        own = {"group": name}
        if group.selector.match_labels == own and self.random.random() < 0.5:
            others = sorted(self.written.groups)
            return replace(group, selector=Selector(match_labels={"group": self.random.choice(others)}))
        return replace(group, selector=Selector(match_labels=own))

    def _chain(self, name: str, group: ClusterGroup) -> ClusterGroup:
        """Go after the groups with smaller names, or after none."""
        earlier = tuple(each for each in sorted(self.written.groups) if each < name)
        return replace(group, after=() if group.after else earlier[:1])

    def _remove(self, name: str, group: ClusterGroup) -> None:
        del group
        if self.random.random() < 0.8:
            del self.written.groups[name]

    def _freeze(self, name: str, group: ClusterGroup) -> None:
        del group
        if self.written.freezes:
            self.written.freezes.clear()
        else:
            now = self.play.clock.now()
            until = now + self.random.choice((10 * MINUTE, 2 * HOUR))
            self.written.freezes.append(a_freeze("some", (self.random.choice((name, "*")),), now, until))

    def _limit(self, name: str, group: ClusterGroup) -> None:
        del name, group
        self.written.limit = self.random.choice((1, 3, 10))

    def _halt_fleet(self, name: str, group: ClusterGroup) -> None:
        del name, group
        self.written.halted = not self.written.halted

    def _block(self, name: str, group: ClusterGroup) -> None:
        del name
        if self.written.blocked:
            self.written.blocked.clear()
        else:
            self.written.blocked[group.target] = "breaks our quota plugin"


def _approval(wave: str, target: Target, until: datetime | None = None) -> Approval:
    return Approval(wave, "ana", target, until, place())
