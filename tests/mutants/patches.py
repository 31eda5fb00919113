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
        "healthy-first",
        "a reading without the word of its brokers counts as full",
        (
            Patch("core/health.py", "unasked = reading.full and", "unasked = False and"),
            Patch("runtime/cycle.py", "take(rounds.not_full(observation), full", "take(observation, full"),
        ),
    ),
    Mutant(
        "healthy-first",
        "a finding blocks nobody whose group says that it does",
        (Patch("core/health.py", "health.severities.get(finding.id, finding.severity)", "finding.severity"),),
    ),
    Mutant(
        "soak-first",
        "consumers that fell behind do not hold the soak",
        (Patch("core/soak.py", "behind = _behind(draft, rollout, wave)", 'behind = ""'),),
    ),
    Mutant(
        "unknown-holds",
        "clusters of a source that cannot be read count as gone after a restart",
        (Patch("core/rollouts.py", "if source_of(name) in unreachable:", "if source_of(name) in ():"),),
    ),
    Mutant(
        "in-bounds",
        "a cluster that failed goes down while its level is being raised",
        (Patch("core/questions.py", "arrived(draft.moving.get(name))", "arrived(None)"),),
    ),
    Mutant(
        "in-bounds",
        "more clusters start than there are free slots",
        (
            Patch("core/admission.py", "if len(turn.started) == free:", "if len(turn.started) == free + 2:"),
            Patch("core/plan.py", "assert len(draft.in_flight) <= max(limit, draft.slots_before)", "assert limit"),
        ),
    ),
    Mutant(
        "in-bounds",
        "a failure domain may have one cluster more in flight than its limit",
        (Patch("core/gates/limits.py", "if count >= limit:", "if count > limit:"),),
    ),
    Mutant(
        "in-bounds",
        "nobody knows who of a never-together set is in flight or soaking",
        (Patch("core/draft.py", "self.apart.setdefault(shared, set()).add(cluster)", "self.apart.pop(shared, None)"),),
    ),
    Mutant(
        "unknown-holds",
        "what cannot be seen does not count towards the breaker",
        (Patch("core/draft.py", "for name in (*drift.unknown, *drift.sick,", "for name in (*drift.sick,"),),
    ),
    Mutant(
        "unknown-holds",
        "clusters of a source that was not read since the start do not count towards the breaker",
        (Patch("core/draft.py", "if not self.unlisted or group.selector.names:", "if group.name:"),),
    ),
    Mutant(
        "unknown-holds",
        "the breaker opens only past twice its percentage",
        (Patch("core/gates/breaker.py", "count * 100 <= claimed * percent", "count * 100 <= 2 * claimed * percent"),),
    ),
    Mutant(
        "healthy-first",
        "what is expedited goes however unhealthy it is",
        (
            Patch(
                "core/questions.py",
                '    yield Answer("health", health(reading))\n',
                '    if not draft.snapshot.declaration.expedite:\n        yield Answer("health", health(reading))\n',
            ),
        ),
    ),
    Mutant(
        "finalize-last",
        "a level is finalized although somebody of the group is not on its release",
        (
            Patch("core/steps.py", "draft.now < begins or any(not_whole(draft, group))", "draft.now < begins"),
            Patch("core/gates/whole.py", "    if missing:\n", "    if missing is None:\n"),
        ),
    ),
    Mutant(
        "finalize-last",
        "a level is finalized as soon as the group is on its release",
        (Patch("core/steps.py", "since + group.finalize_soak", "since"),),
    ),
    Mutant(
        "soak-first",
        "a release stays urgent after its word has expired",
        (Patch("core/urgency.py", "        and draft.now < each.until\n", ""),),
    ),
    Mutant(
        "soak-first",
        "half of the soak is enough",
        (Patch("core/soak.py", "full = soaked >= soak_of", "full = 2 * soaked >= soak_of"),),
    ),
    Mutant(
        "in-window",
        "every window is open",
        (Patch("core/questions.py", "window(is_open=hours.is_open,", "window(is_open=True,"),),
    ),
    Mutant(
        "in-window",
        "a window may close in the middle of an upgrade",
        (Patch("core/gates/window.py", "now + expected <= closes_at", "now <= closes_at"),),
    ),
    Mutant(
        "in-window",
        "the no of an outside system is not heard",
        (
            Patch("core/gates/external.py", "if not reading.passed:", "if reading.passed is None:"),
            Patch("core/gates/external.py", "if passed < gate.samples:", "if passed > gate.samples:"),
        ),
    ),
    Mutant(
        "legal-hop",
        "what is finalized does not shut the way down",
        (
            Patch(
                "core/hops.py",
                '    if too_high is not None:\n        return f"{too_high}; that level was',
                '    if too_high == "":\n        return f"{too_high}; that level was',
            ),
        ),
    ),
    Mutant(
        "legal-hop",
        "what others took above the target is taken down",
        (Patch("core/steps.py", "    return ours and illegal_return(", "    return illegal_return("),),
    ),
    Mutant(
        "legal-hop",
        "the level that 4.x needs is not looked at",
        (Patch("core/hops.py", "    if position.level < floor:\n", "    if position.level is target:\n"),),
    ),
    Mutant(
        "legal-hop",
        "what others took further up goes back with the wave that failed",
        (Patch("core/ways.py", "or reading.highest <= target:", "or reading.highest:"),),
    ),
    Mutant(
        "order",
        "groups under after count as converged",
        (Patch("core/questions.py", "converged=passed", "converged=True"),),
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
        "order",
        "a way down of some clusters passes for the whole group",
        (Patch("history/recall.py", "return rollout.way is Way.FINALIZE or (", "return rollout.way is not None or ("),),
    ),
    Mutant(
        "halt-sticks",
        "a failed wave goes back although a person halted the group too",
        (Patch("core/starts.py", "if any(stop.suspect is None for stop in halts):", "if not halts:"),),
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
        "soak-first",
        "what fails does not begin the soak of the others anew, nor does a wave on its way back stop soaking",
        (
            Patch("core/soak.py", "return rests and not _goes_back(draft, rollout, wave)", "return rests"),
            Patch("core/soak.py", "if name in failing and record.converged_at is not None:", "if name in ():"),
        ),
    ),
    Mutant(
        "ends",
        "two waves wait for each other's twins",
        (Patch("core/admission.py", "(HoldReason.NEVER_TOGETHER,) if twinned and", "() if twinned and"),),
    ),
    Mutant(
        "ends",
        "what clusters show anew is taken for what they showed",
        (Patch("core/news.py", " or group in self._changed", ""),),
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
