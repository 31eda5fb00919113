"""One small patch for each promise that breaks it: what stands in the code, and what would be wrong in its place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    """One place of one file."""

    file: str
    """Below ``controller/``."""
    old: str
    """Stands there exactly once."""
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A promise, and how it is broken."""

    promise: str
    what: str
    patches: tuple[Patch, ...]


MUTANTS = (
    Mutant(
        "one-wave",
        "a second group admits its wave in the same cycle",
        (
            Patch("core/admission.py", "if admitted is not None and turn.candidates.ready", "if None"),
            Patch("core/plan.py", "assert len(admitted) <= 1, admitted", "del admitted"),
        ),
    ),
    Mutant(
        "healthy-first",
        "the health gate is not asked",
        (Patch("core/questions.py", '    yield Answer("health", health(reading))\n', ""),),
    ),
    Mutant(
        "unknown-holds",
        "clusters of a source that cannot be read count as gone after a restart",
        (Patch("core/rollouts.py", "if source_of(name) in unreachable:", "if source_of(name) in ():"),),
    ),
    Mutant(
        "in-bounds",
        "more clusters start than there are free slots",
        (
            Patch("core/admission.py", "turn.candidates.ready[: free_slots(**counts)]", "turn.candidates.ready"),
            Patch("core/plan.py", "assert not plan.starts or len(draft.in_flight) <= limit", "assert limit"),
        ),
    ),
    Mutant(
        "soak-first",
        "half of the soak is enough",
        (Patch("core/soak.py", "full = soaked >= definition", "full = 2 * soaked >= definition"),),
    ),
    Mutant(
        "in-window",
        "every window is open",
        (Patch("core/questions.py", "window(is_open=is_open,", "window(is_open=True,"),),
    ),
    Mutant(
        "legal-hop",
        "the lowest line of the direct way is not looked at",
        (
            Patch(
                "core/hops.py", "if lowest <= reading.release.line <= highest:", "if reading.release.line <= highest:"
            ),
        ),
    ),
    Mutant(
        "order",
        "groups under after count as converged",
        (Patch("core/questions.py", "converged=_has_passed(draft, name, group.target)", "converged=True"),),
    ),
    Mutant(
        "halt-sticks",
        "one failure more than the budget, and any in the first wave, go on",
        (
            Patch(
                "core/stops.py",
                "if in_first_wave or len(rollout.failed) > allowed:",
                "if in_first_wave is None or len(rollout.failed) > allowed + 1:",
            ),
        ),
    ),
    Mutant(
        "halt-sticks",
        "a halt does not hold its group",
        (Patch("core/gates/halt.py", "    if halts:\n        ids =", "    if not halts and halts:\n        ids ="),),
    ),
    Mutant(
        "record-first",
        "the fleet is written before the plan is recorded",
        (
            Patch(
                "runtime/cycle.py",
                "        self._record((*seen, *plan.entries, *fleet_words(plan, snapshot.history)), now)\n",
                "",
            ),
            Patch(
                "runtime/cycle.py",
                "        self._record(outcomes, self._world.clock.now())\n",
                "        self._record((*seen, *plan.entries, *outcomes), now)\n",
            ),
        ),
    ),
    Mutant(
        "record-first",
        "one healthy sample is enough to have converged",
        (Patch("core/progress.py", "if healthy >= _samples(draft, rollout):", "if healthy >= 1:"),),
    ),
    Mutant(
        "twice-harmless",
        "the same words are said again",
        (Patch("runtime/report.py", "if last.body == body or ", "if last.body is None or "),),
    ),
    Mutant(
        "one-writer",
        "the lease is not looked at before a write",
        (Patch("runtime/apply.py", "if not self._ledger.holds_lease():", "if self._ledger is None:"),),
    ),
    Mutant(
        "ends",
        "a failed cluster keeps its slot for ever",
        (Patch("core/progress.py", "if record.holds_slot and is_well(reading):", "if reading is None:"),),
    ),
    Mutant(
        "ends",
        "a held cluster keeps the tail from moving",
        (Patch("core/admission.py", "if chosen.able or not pool.spare:", "if chosen or not pool.spare:"),),
    ),
)
