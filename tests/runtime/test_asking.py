"""Asking external gates: all at once, each with its limit, none at the cost of another, and about the right thing."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from controller.history.records import RolloutKind
from controller.model.declaration import Declaration, ExternalGate, WebhookGate
from controller.model.observation import GateReading
from controller.model.plan import GateSubject
from controller.ports import GateQuestion
from controller.runtime.asking import AT_ONCE_MAX, Asker, NoGates
from tests.builders import LEVEL_43, NEW, NOON, place, release
from tests.builders_core import a_declaration, a_group
from tests.external.builders import a_query, a_question, a_webhook
from tests.runtime.worlds import LIMIT_SECONDS, CountingMetrics, await_true

PATIENT = timedelta(seconds=LIMIT_SECONDS)
HASTY = timedelta(seconds=2)
"""Long enough for a gate that answers at once, on a busy machine too."""
LATE = "it did not answer within 2 s"
YES = GateReading(passed=True, detail="yes", about=release(NEW))
SOFTWARE, METADATA = RolloutKind.SOFTWARE, RolloutKind.METADATA


@dataclass
class ScriptedGates:
    """Answers by the gate's name what the script says, else yes; those in ``hanging`` wait until they are let go."""

    script: Mapping[str, GateReading | Exception] = field(default_factory=dict)
    hanging: frozenset[str] = frozenset()
    together: threading.Barrier | None = None
    """Where given, a question waits there for the others."""
    asked: list[tuple[str, GateQuestion]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    answered: list[str] = field(default_factory=list)

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Answer."""
        self.asked.append((gate.name, question))
        if self.together is not None:
            self.together.wait(LIMIT_SECONDS)
        if gate.name in self.hanging:
            self.free.wait(LIMIT_SECONDS)
        self.answered.append(gate.name)
        answer = self.script.get(gate.name, YES)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def names(self) -> list[str]:
        """Who was asked, in order of their names."""
        return sorted(name for name, _ in self.asked)


def hooks(*names: str) -> tuple[WebhookGate, ...]:
    """Webhook gates of these names."""
    return tuple(a_webhook("https://hooks.example/", name) for name in names)


def declared(*gates: ExternalGate, target: str = NEW) -> Declaration:
    """``prod`` with these gates."""
    return a_declaration(replace(a_group(target=target), gates=gates))


PROD = {"prod": GateSubject(SOFTWARE, release(NEW))}


def an_asker(gates: ScriptedGates, limit: timedelta = PATIENT) -> tuple[Asker, CountingMetrics]:
    """An asker, and what it counts."""
    metrics = CountingMetrics()
    return Asker(gates, limit, metrics), metrics


def test_every_gate_of_a_named_group_is_asked_about_its_rollout() -> None:
    """
    With fleet, group, kind, target and the cycle's own time; its answer stands under group and gate.
    """
    gates = ScriptedGates({"p99-produce": GateReading(passed=False, detail="0.3", about=release(NEW))})
    asker, metrics = an_asker(gates)

    readings = asker.ask(declared(a_query(), *hooks("calendar")), PROD, NOON)

    assert {
        ("prod", "p99-produce"): GateReading(passed=False, detail="0.3", about=release(NEW)),
        ("prod", "calendar"): YES,
    } == readings
    question = GateQuestion("acme", "prod", release(NEW), SOFTWARE, NOON)
    assert [("calendar", question), ("p99-produce", question)] == sorted(gates.asked, key=lambda each: each[0])
    assert {("prometheus", "ok"): 1, ("webhook", "ok"): 1} == dict(metrics.calls)


def test_groups_that_the_plan_did_not_name_are_not_asked() -> None:
    """
    A gate is a question about a start; where none is near, nobody is bothered.
    """
    gates = ScriptedGates()
    asker, metrics = an_asker(gates)

    assert {} == asker.ask(declared(*hooks("calendar")), {}, NOON)
    assert {} == asker.ask(declared(*hooks("calendar")), {"gone": GateSubject(SOFTWARE, release(NEW))}, NOON)
    assert {} == asker.ask(declared(), PROD, NOON)
    assert [] == gates.asked
    assert {} == dict(metrics.calls)


def test_all_gates_are_asked_at_once() -> None:
    """
    Each waits until all have been asked, so that questions one after another would never end.
    """
    gates = ScriptedGates(together=threading.Barrier(AT_ONCE_MAX))
    asker, _ = an_asker(gates)

    readings = asker.ask(declared(*hooks(*(f"gate-{n}" for n in range(AT_ONCE_MAX)))), PROD, NOON)

    assert AT_ONCE_MAX == len(readings)
    assert {YES} == set(readings.values())


def test_more_gates_than_threads_are_asked_one_after_another() -> None:
    """
    The bound on threads leaves nobody out while all answer.
    """
    gates = ScriptedGates()
    asker, _ = an_asker(gates)

    readings = asker.ask(declared(*hooks(*(f"gate-{n}" for n in range(3 * AT_ONCE_MAX)))), PROD, NOON)

    assert 3 * AT_ONCE_MAX == len(readings)
    assert {YES} == set(readings.values())


def test_a_gate_that_hangs_is_given_up_at_the_limit_and_costs_no_other() -> None:
    """
    It is unanswered, with the limit in the sentence; the other is answered in the same cycle.
    """
    gates = ScriptedGates(hanging=frozenset({"slow"}))
    asker, metrics = an_asker(gates, HASTY)

    readings = asker.ask(declared(*hooks("slow", "quick")), PROD, NOON)
    gates.free.set()

    assert {("prod", "slow"): GateReading(None, LATE, release(NEW)), ("prod", "quick"): YES} == readings
    assert {("webhook", "ok"): 1, ("webhook", "failed"): 1} == dict(metrics.calls)


def test_a_gate_that_still_hangs_is_not_asked_again() -> None:
    """
    One question at a time, however many cycles pass: a dead system must not eat a thread for each of them.
    """
    gates = ScriptedGates(hanging=frozenset({"slow"}))
    asker, _ = an_asker(gates, HASTY)
    asker.ask(declared(*hooks("slow")), PROD, NOON)

    for _ in range(3):
        readings = asker.ask(declared(*hooks("slow")), PROD, NOON)
        expected = GateReading(None, "it has not answered the question of an earlier cycle yet", release(NEW))
        assert {("prod", "slow"): expected} == readings
    gates.free.set()

    assert ["slow"] == gates.names


def test_an_answer_that_came_too_late_is_thrown_away() -> None:
    """
    Safety: it answers an old question. The next cycle asks anew.
    """
    gates = ScriptedGates(hanging=frozenset({"slow"}))
    asker, _ = an_asker(gates, HASTY)
    declaration = declared(*hooks("slow"))
    asker.ask(declaration, PROD, NOON)
    gates.free.set()

    later = NOON + timedelta(minutes=1)
    await_true(lambda: asker.ask(declaration, PROD, later)["prod", "slow"] == YES)

    assert [NOON, later] == [question.at for _, question in gates.asked]


def test_where_too_many_hang_the_others_say_so() -> None:
    """
    Threads are bounded, also over cycles: what could not be asked is unanswered, and nobody waits for it.
    """
    slow = frozenset(f"a-slow-{n}" for n in range(AT_ONCE_MAX))
    gates = ScriptedGates(hanging=slow)
    asker, _ = an_asker(gates, HASTY)
    declaration = declared(*hooks(*sorted(slow), "quick"))

    first = asker.ask(declaration, PROD, NOON)
    began = time.monotonic()
    second = asker.ask(declaration, PROD, NOON)
    took = time.monotonic() - began
    gates.free.set()

    left_out = GateReading(
        None, f"it was not asked, since {AT_ONCE_MAX} other gates did not answer in time", release(NEW)
    )
    assert [left_out, left_out] == [first["prod", "quick"], second["prod", "quick"]]
    assert "quick" not in gates.names
    assert took < HASTY.total_seconds()


def test_what_could_not_be_asked_comes_first_the_next_time() -> None:
    """
    Gates that run into the limit in every cycle do not starve one that would answer.
    """
    slow = frozenset(f"a-slow-{n}" for n in range(AT_ONCE_MAX))
    gates = ScriptedGates(hanging=slow)
    asker, _ = an_asker(gates, HASTY)
    declaration = declared(*hooks(*sorted(slow), "quick"))
    asker.ask(declaration, PROD, NOON)
    gates.free.set()
    await_true(lambda: len(gates.answered) == AT_ONCE_MAX)
    await_true(lambda: not any(thread.name == "ask-gates" for thread in threading.enumerate()))
    gates.free = threading.Event()

    readings = asker.ask(declaration, PROD, NOON)
    gates.free.set()

    assert YES == readings["prod", "quick"]


def test_a_gate_without_an_answer_counts_as_a_failed_call() -> None:
    """
    Its sentence is handed on as it is, for the hold.
    """
    gates = ScriptedGates({"p99-produce": GateReading(None, "Prometheus found no series", release(NEW))})
    asker, metrics = an_asker(gates)

    readings = asker.ask(declared(a_query()), PROD, NOON)

    assert {("prod", "p99-produce"): GateReading(None, "Prometheus found no series", release(NEW))} == readings
    assert {("prometheus", "failed"): 1} == dict(metrics.calls)


def test_a_bug_in_a_gate_is_not_taken_for_an_outage() -> None:
    """
    A gate never raises for what goes wrong outside; whatever it raises ends the cycle: it is ours to mend.
    """
    asker, _ = an_asker(ScriptedGates({"calendar": ZeroDivisionError()}))

    with pytest.raises(ZeroDivisionError):
        asker.ask(declared(*hooks("calendar")), PROD, NOON)


def test_an_answer_says_what_it_is_about() -> None:
    """
    Safety: an answer about one target must serve for no other, whether a gate passed or gave no answer.
    """
    gates = ScriptedGates({"p99-produce": GateReading(None, "Prometheus found no series", release(NEW))})
    asker, _ = an_asker(gates)
    subject = GateSubject(METADATA, LEVEL_43)
    readings = asker.ask(declared(a_query(), *hooks("calendar")), {"prod": subject}, NOON)

    assert {LEVEL_43} == {reading.about for reading in readings.values()}
    assert {(METADATA, LEVEL_43)} == {(question.kind, question.target) for _, question in gates.asked}


def test_where_nothing_outside_may_be_asked_every_gate_says_so() -> None:
    """
    Unasked is not passed.
    """
    reading = NoGates().ask(WebhookGate("calendar", "https://hooks.example/", place()), a_question())

    assert GateReading(None, "external gates are not asked here") == reading
