"""How each promise is broken: what stands in the code, what would be wrong in its place, and who notices."""

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
    test: str
    """Of the core, a property, a contract or the runtime: fails on it."""
    seed: int
    """Of those that the simulation's tests play: breaks a promise on it."""


MUTANTS = (
    Mutant(
        "one-wave",
        "a second group admits its wave in the same cycle",
        (
            Patch("core/admission.py", "if admitted is not None and turn.candidates.ready", "if None"),
            Patch("core/plan.py", "assert len(admitted) <= 1, admitted", "del admitted"),
        ),
        "tests/core/test_one_wave.py::test_over_the_fleet_one_wave_is_admitted_per_cycle",
        1005363,
    ),
    Mutant(
        "healthy-first",
        "the health gate is not asked",
        (Patch("core/questions.py", '    yield Answer("health", health(reading))\n', ""),),
        "tests/core/test_admission.py::test_only_a_warning_lets_a_cluster_start",
        1001429,
    ),
    Mutant(
        "healthy-first",
        "a reading without the word of its brokers counts as full",
        (
            Patch("core/health.py", "unasked = reading.full and", "unasked = False and"),
            Patch("runtime/cycle.py", "take(rounds.not_full(observation), full", "take(observation, full"),
        ),
        "tests/core/test_health.py::test_a_start_waits_for_the_brokers_word",
        1002211,
    ),
    Mutant(
        "healthy-first",
        "a finding blocks nobody whose group says that it does",
        (Patch("core/health.py", "health.severities.get(finding.id, finding.severity)", "finding.severity"),),
        "tests/core/test_health.py::test_a_groups_word_on_a_check_counts",
        10,
    ),
    Mutant(
        "soak-first",
        "consumers that fell behind do not hold the soak",
        (Patch("core/soak.py", "behind = _behind(draft, rollout, wave)", 'behind = ""'),),
        "tests/core/test_health.py::test_consumers_that_fell_behind_hold_the_soak_and_fail_nobody",
        35,
    ),
    Mutant(
        "unknown-holds",
        "consumers whose lag cannot be read any more count as caught up",
        (Patch("core/health.py", "if before is not None and reading.by_brokers:", "if before is not None and now:"),),
        "tests/core/test_health.py::test_a_soak_waits_while_the_lag_of_its_consumers_cannot_be_read",
        35,
    ),
    Mutant(
        "halt-sticks",
        "the level of a suspect release is finalized elsewhere",
        (Patch("core/questions.py", "suspect(each, others", "suspect(target, others"),),
        "tests/core/test_finalization_changes.py::test_the_level_of_a_release_that_hurt_another_group_is_not_finalized",
        83,
    ),
    Mutant(
        "unknown-holds",
        "clusters of a source that cannot be read count as gone after a restart",
        (Patch("core/rollouts.py", "if source_of(name) in unreachable:", "if source_of(name) in ():"),),
        "tests/core/test_rollouts.py::test_nobody_is_gone_while_its_source_cannot_be_read",
        1,
    ),
    Mutant(
        "in-bounds",
        "a cluster that failed goes down while its level is being raised",
        (Patch("core/questions.py", "arrived(draft.moving.get(name))", "arrived(None)"),),
        "tests/core/test_sent_back_late.py::test_nobody_goes_down_whose_level_is_being_raised",
        1001454,
    ),
    Mutant(
        "in-bounds",
        "more clusters start than there are free slots",
        (
            Patch("core/admission.py", "if len(turn.started) == free:", "if len(turn.started) == free + 2:"),
            Patch("core/plan.py", "assert len(draft.in_flight) <= max(limit, draft.slots_before)", "assert limit"),
        ),
        "tests/core/test_one_wave.py::test_slots_are_counted_within_the_cycle_that_gives_them",
        1001429,
    ),
    Mutant(
        "in-bounds",
        "a failure domain may have one cluster more in flight than its limit",
        (Patch("core/gates/limits.py", "if count >= limit:", "if count > limit:"),),
        "tests/core/test_together.py::test_a_domain_has_no_more_in_flight_than_its_limit",
        1001429,
    ),
    Mutant(
        "in-bounds",
        "nobody knows who of a never-together set is in flight or soaking",
        (Patch("core/draft.py", "self.apart.setdefault(shared, set()).add(cluster)", "self.apart.pop(shared, None)"),),
        "tests/core/test_together.py::test_a_twin_in_another_group_waits_until_the_first_has_soaked",
        1005207,
    ),
    Mutant(
        "unknown-holds",
        "what cannot be seen does not count towards the breaker",
        (Patch("core/draft.py", "for name in (*drift.unknown, *drift.sick,", "for name in (*drift.sick,"),),
        "tests/core/test_breaker.py::test_more_than_the_percentage_stops_every_start",
        1002211,
    ),
    Mutant(
        "unknown-holds",
        "clusters of a source that was not read since the start do not count towards the breaker",
        (Patch("core/draft.py", "if not self.unlisted or group.selector.names:", "if group.name:"),),
        "tests/core/test_breaker.py::test_remembered_clusters_of_a_source_that_was_not_read_since_the_start_count_too",
        205,
    ),
    Mutant(
        "unknown-holds",
        "the breaker opens only past twice its percentage",
        (Patch("core/gates/breaker.py", "count * 100 <= claimed * percent", "count * 100 <= 2 * claimed * percent"),),
        "tests/core/gates/test_fleet_and_group.py::test_the_breaker_opens_past_its_percentage_and_past_one_cluster",
        1005363,
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
        "tests/core/test_urgency.py::test_urgency_skips_no_health_limit_approval_or_order",
        95,
    ),
    Mutant(
        "finalize-last",
        "a level is finalized although somebody of the group is not on its release",
        (
            Patch("core/steps.py", "draft.now < begins or any(not_whole(draft, group))", "draft.now < begins"),
            Patch("core/gates/whole.py", "    if missing:\n", "    if missing is None:\n"),
        ),
        "tests/core/test_finalization.py::test_one_cluster_that_is_not_there_holds_the_whole_finalization",
        61,
    ),
    Mutant(
        "finalize-last",
        "a level is finalized as soon as the group is on its release",
        (Patch("core/steps.py", "since + group.finalize_soak", "since"),),
        "tests/core/test_finalization.py::test_finalization_begins_exactly_when_its_soak_is_over",
        1001454,
    ),
    Mutant(
        "soak-first",
        "a release stays urgent after its word has expired",
        (Patch("core/urgency.py", "        and draft.now < each.until\n", ""),),
        "tests/core/test_urgency.py::test_what_is_urgent_ends_exactly_at_its_time",
        29,
    ),
    Mutant(
        "soak-first",
        "half of the soak is enough",
        (Patch("core/soak.py", "full = soaked >= soak_of", "full = 2 * soaked >= soak_of"),),
        "tests/core/test_soak.py::test_a_soak_is_full_to_the_microsecond",
        1001429,
    ),
    Mutant(
        "in-window",
        "every window is open",
        (Patch("core/questions.py", "window(is_open=hours.is_open,", "window(is_open=True,"),),
        "tests/core/test_admission.py::test_what_closes_in_the_middle_of_a_wave_holds_the_rest_of_it",
        1010248,
    ),
    Mutant(
        "in-window",
        "a window may close in the middle of an upgrade",
        (Patch("core/gates/window.py", "now + expected <= closes_at", "now <= closes_at"),),
        "tests/core/gates/test_fleet_and_group.py::test_an_upgrade_must_be_done_by_the_moment_its_window_closes",
        1010248,
    ),
    Mutant(
        "in-window",
        "the no of an outside system is not heard",
        (
            Patch("core/gates/external.py", "if not reading.passed:", "if reading.passed is None:"),
            Patch("core/gates/external.py", "if passed < gate.samples:", "if passed > gate.samples:"),
        ),
        "tests/core/test_outside.py::test_nothing_starts_before_a_gate_was_asked_and_passed_often_enough",
        1005207,
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
        "tests/core/test_ways_down.py::test_what_is_finalized_shuts_the_way_down_and_the_sentence_says_so",
        83,
    ),
    Mutant(
        "legal-hop",
        "what others took above the target is taken down",
        (Patch("core/steps.py", "    return ours and illegal_return(", "    return illegal_return("),),
        "tests/core/test_ways_down.py::test_a_cluster_that_others_took_up_is_left_there",
        1001429,
    ),
    Mutant(
        "legal-hop",
        "the level that 4.x needs is not looked at",
        (Patch("core/hops.py", "    if position.level < floor:\n", "    if position.level is target:\n"),),
        "tests/core/test_hops.py::test_every_hop_of_the_catalog_is_judged_as_its_rows_say",
        1001454,
    ),
    Mutant(
        "legal-hop",
        "what others took further up goes back with the wave that failed",
        (Patch("core/ways.py", "or reading.highest <= target:", "or reading.highest:"),),
        "tests/core/test_sent_back.py::test_what_others_took_further_up_meanwhile_does_not_go_back",
        1001429,
    ),
    Mutant(
        "order",
        "groups under after count as converged",
        (Patch("core/questions.py", "converged=passed", "converged=True"),),
        "tests/core/test_order.py::test_a_predecessor_under_way_holds_until_its_last_wave_has_soaked",
        1005207,
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
        "tests/core/test_stops.py::test_a_budget_is_spent_by_one_failure_more_than_it_allows",
        1001429,
    ),
    Mutant(
        "order",
        "a way down of some clusters passes for the whole group",
        (Patch("history/recall.py", "return rollout.way is Way.FINALIZE or (", "return rollout.way is not None or ("),),
        "tests/core/test_order.py::test_a_way_down_of_some_clusters_does_not_pass_for_those_that_never_came_up",
        227,
    ),
    Mutant(
        "halt-sticks",
        "a failed wave goes back although a person halted the group too",
        (Patch("core/starts.py", "if any(stop.suspect is None for stop in halts):", "if not halts:"),),
        "tests/core/test_sent_back.py::test_a_person_who_halts_stops_the_way_back_too",
        79,
    ),
    Mutant(
        "halt-sticks",
        "a halt does not hold its group",
        (Patch("core/gates/halt.py", "    if halts:\n        ids =", "    if not halts and halts:\n        ids ="),),
        "tests/core/test_stops.py::test_a_halt_sticks_whatever_is_seen",
        1002211,
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
        "tests/runtime/test_crash.py::test_an_upgrade_without_trouble_crosses_every_kind_of_boundary",
        1001429,
    ),
    Mutant(
        "record-first",
        "one healthy sample is enough to have converged",
        (Patch("core/progress.py", "if healthy >= _samples(draft, rollout):", "if healthy >= 1:"),),
        "tests/core/test_progress.py::test_a_cluster_converges_with_its_last_sample_and_not_before",
        1001429,
    ),
    Mutant(
        "twice-harmless",
        "the same words are said again",
        (Patch("runtime/report.py", "if last.body == body or ", "if last.body is None or "),),
        "tests/runtime/test_report.py::test_the_same_words_are_not_said_twice",
        1001429,
    ),
    Mutant(
        "one-writer",
        "the lease is not looked at before a write",
        (Patch("runtime/apply.py", "if not self._ledger.holds_lease():", "if self._ledger is None:"),),
        "tests/runtime/test_apply.py::test_a_process_without_the_lease_writes_nothing",
        3,
    ),
    Mutant(
        "soak-first",
        "what fails does not begin the soak of the others anew, nor does a wave on its way back stop soaking",
        (
            Patch("core/soak.py", "return rests and not _goes_back(draft, rollout, wave)", "return rests"),
            Patch("core/soak.py", "if name in failing and record.converged_at is not None:", "if name in ():"),
        ),
        "tests/core/test_soak.py::test_a_cluster_that_fails_begins_the_soak_of_the_others_anew",
        1010201,
    ),
    Mutant(
        "ends",
        "two waves wait for each other's twins",
        (Patch("core/admission.py", "(HoldReason.NEVER_TOGETHER,) if twinned and", "() if twinned and"),),
        "tests/core/test_together.py::test_two_waves_that_wait_for_each_others_twins_both_come_to_their_end",
        1005207,
    ),
    Mutant(
        "ends",
        "what clusters show anew is taken for what they showed",
        (Patch("core/news.py", " or group in self._changed", ""),),
        "tests/core/test_at_rest.py::test_anything_new_is_seen_in_its_own_cycle",
        1001429,
    ),
    Mutant(
        "ends",
        "a failed cluster keeps its slot for ever",
        (Patch("core/progress.py", "if record.holds_slot and is_well(reading):", "if reading is None:"),),
        "tests/core/test_progress.py::test_a_failed_cluster_keeps_its_slot_until_it_is_well_and_settled",
        1002211,
    ),
    Mutant(
        "ends",
        "a held cluster keeps the tail from moving",
        (Patch("core/admission.py", "if chosen.able or not pool.spare:", "if chosen or not pool.spare:"),),
        "tests/core/test_admission.py::test_where_each_of_a_waves_clusters_is_held_the_tail_takes_their_places",
        18,
    ),
)
