"""From what brokers answered to findings: each definition once, pure.

Definitions: ``docs/health.md``. What a finding does to a start is the core's business: here each has the severity of
``CHECKS``, and thresholds of a group only decide what is worth telling.
"""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from controller.fleets.kafka_answers import Answers, Broker, Partition, Quorum, Voter
from controller.model.health import CHECKS, Health
from controller.model.observation import Finding

EXAMPLES_MAX = 10
"""Partitions, topics, brokers, directories or groups named in one finding."""
CAUGHT_UP_MILLISECONDS = 2_000
"""A voter that is less behind is caught up: ``controller.quorum.fetch.timeout.ms``, as Kafka has it by default."""
SMALLEST_SAFE_QUORUM = 3


def findings(answers: Answers, expected: frozenset[int] | None, health: Health) -> tuple[Finding, ...]:
    """Return what ``answers`` show; ``expected`` are the ids of the brokers that should be there; None = not known."""
    found = (
        *_of_partitions(answers.partitions),
        *_of_topics(answers.partitions, health),
        missing(answers.brokers, expected),
        _fenced(answers.brokers, expected),
        *_of_quorum(answers.quorum),
        _reassignment(answers.reassigned, len(answers.partitions)),
        _disk_usage(answers.brokers, min(health.disk_warn, health.disk_block)),
        _disk_error(answers.brokers),
        _consumer_lag(answers, health),
    )
    return tuple(finding for finding in found if finding is not None)


def _of_partitions(partitions: Sequence[Partition]) -> Iterable[Finding | None]:
    def those(check: str, doing: str, is_violated: Callable[[Partition], bool]) -> Finding | None:
        violated = sorted((it.topic, it.number) for it in partitions if is_violated(it))
        names = [f"{topic}-{number}" for topic, number in violated]
        return _finding(check, f"{len(names)} of {len(partitions)} partitions {doing}", names)

    yield those("offline_partitions", "have no leader", lambda it: not it.has_leader)
    yield those(
        "under_min_isr", "are below min.insync.replicas", lambda it: it.in_sync < min(it.min_in_sync, it.replicas)
    )
    yield those("under_replicated", "are under-replicated", lambda it: it.in_sync < it.replicas)
    yield those("at_min_isr", "have no replica in sync to spare", lambda it: it.in_sync == it.min_in_sync < it.replicas)
    yield those("offline_replicas", "have replicas that are offline", lambda it: it.away > 0)


def _of_topics(partitions: Sequence[Partition], health: Health) -> Iterable[Finding | None]:
    single, tight = set(), set()
    topics = set()
    for partition in partitions:
        topics.add(partition.topic)
        if partition.replicas == 1:
            single.add(partition.topic)
        elif partition.replicas <= partition.min_in_sync:
            tight.add(partition.topic)
    ignored = _matching(single | tight, health.ignored_topics)
    names = sorted(single - ignored)
    yield _finding("rf1_topics", f"{len(names)} of {len(topics)} topics have a single replica", names)
    names = sorted(tight - ignored)
    detail = f"{len(names)} of {len(topics)} topics need all of their replicas in sync"
    yield _finding("no_headroom", detail, names)


def _matching(topics: Iterable[str], patterns: Sequence[str]) -> set[str]:
    # Case counts in Kafka's names, so not fnmatch(), which follows the system's habit.
    return {topic for topic in topics if any(fnmatchcase(topic, pattern) for pattern in patterns)}


def missing(brokers: Sequence[Broker], expected: frozenset[int] | None) -> Finding | None:
    """Return the finding ``brokers_missing``.

    A broker is there once both the cluster names it as a member and it answers by itself: either may be some seconds
    late. Where nobody told which there should be, only those can be missing that the cluster names.
    """
    named = {broker.id: broker for broker in brokers}
    members = {broker.id for broker in brokers if not broker.fenced}
    should = members if expected is None else expected
    absent = sorted(should - {number for number in members if named[number].line is not None})
    whys = [_absence(number, named.get(number)) for number in absent]
    detail = f"{len(absent)} of {len(should)} brokers are missing"
    return _finding("brokers_missing", detail, [f"broker {number}" for number in absent], whys)


def _absence(number: int, broker: Broker | None) -> str:
    if broker is None:
        return f"broker {number}: is no member of the cluster"
    why = "is fenced" if broker.fenced else f"does not answer: {broker.silent or 'it was not asked in time'}"
    return f"broker {number} ({broker.address}): {why}"


def _fenced(brokers: Sequence[Broker], expected: frozenset[int] | None) -> Finding | None:
    """A registration that was left behind by a broker that nobody expects any more is held against nobody."""
    fenced = sorted(it.id for it in brokers if it.fenced and (expected is None or it.id in expected))
    detail = f"{len(fenced)} of {len(brokers)} registered brokers are fenced"
    return _finding("broker_fenced", detail, [f"broker {number}" for number in fenced])


def _of_quorum(quorum: Quorum) -> Iterable[Finding | None]:
    if quorum.leader < 0:
        detail = "the metadata quorum has no leader" + (f": {quorum.why}" if quorum.why else "")
        yield Finding("quorum_no_leader", CHECKS["quorum_no_leader"], detail)
        return
    yield _lagging(quorum)
    size = len(quorum.voters)
    if size < SMALLEST_SAFE_QUORUM or size % 2 == 0:
        detail = f"number of voters of the metadata quorum: found {size}, expected an odd one from 3 on"
        yield Finding("quorum_size", CHECKS["quorum_size"], detail, count=size)


def _lagging(quorum: Quorum) -> Finding | None:
    """Return the finding where the quorum would not bear that any one of its voters is restarted now.

    A majority has to be caught up, and without the one that is restarted ``(N + 2) // 2``, as Strimzi has it. With two
    voters that cannot be: there both have to be caught up, so that the stop is as short as can be.
    """
    size = len(quorum.voters)
    leader_at = next((voter.caught_up_at for voter in quorum.voters if voter.id == quorum.leader), -1)
    behind = [it for it in quorum.voters if it.id != quorum.leader and not is_caught_up(it, leader_at)]
    needed = (size + 2) // 2 + 1 if size >= SMALLEST_SAFE_QUORUM else size
    if size - len(behind) >= needed:
        return None
    detail = (
        f"{size - len(behind)} of {size} voters of the metadata quorum are caught up, {needed} have to be before one"
        " of them is restarted"
    )
    return _finding(
        "quorum_lagging", detail, [f"voter {it.id}" for it in behind], [_delay(it, leader_at) for it in behind]
    )


def is_caught_up(voter: Voter, leader_at: int) -> bool:
    """Tell whether a voter is; one that the leader cannot judge yet is not."""
    return min(voter.caught_up_at, leader_at) >= 0 and leader_at - voter.caught_up_at < CAUGHT_UP_MILLISECONDS


def _delay(voter: Voter, leader_at: int) -> str:
    if min(voter.caught_up_at, leader_at) < 0:
        return f"voter {voter.id}: not known yet, as for one that just joined"
    return f"voter {voter.id}: {(leader_at - voter.caught_up_at) / 1000:.1f} s behind"


def _reassignment(reassigned: Sequence[str], partitions: int) -> Finding | None:
    return _finding("reassignment", f"{len(reassigned)} of {partitions} partitions are being moved", sorted(reassigned))


def _disk_usage(brokers: Sequence[Broker], threshold: float) -> Finding | None:
    shares = [
        ((it.total - it.usable) / it.total, f"broker {broker.id}: {it.path}")
        for broker in brokers
        for it in broker.directories
        if it.total > 0 and it.usable >= 0
    ]
    full = sorted(((share, name) for share, name in shares if share >= threshold), key=lambda it: (-it[0], it[1]))
    detail = f"{len(full)} of {len(shares)} log directories are on a disk that is {threshold:.0%} full or more"
    names = [name for _, name in full]
    return _finding(
        "disk_usage", detail, names, [f"{name} {share:.1%}" for share, name in full], full[0][0] if full else None
    )


def _disk_error(brokers: Sequence[Broker]) -> Finding | None:
    broken = [
        (f"broker {broker.id}: {it.path}", it.error) for broker in brokers for it in broker.directories if it.error
    ]
    total = sum(len(broker.directories) for broker in brokers)
    detail = f"{len(broken)} of {total} log directories have failed"
    return _finding("disk_error", detail, [name for name, _ in broken], [f"{name} ({error})" for name, error in broken])


def _consumer_lag(answers: Answers, health: Health) -> Finding | None:
    above = sorted((-lag, group) for group, lag in answers.lag.items() if lag > health.lag_above)
    groups = len(health.consumer_groups)
    detail = f"{len(above)} of {groups} consumer groups are more than {health.lag_above:,} records behind"
    shown = [f"{group} {-lag:,}" for lag, group in above]
    level = float(-above[0][0]) if above else None
    return _finding("consumer_lag", detail, [group for _, group in above], shown, level)


def _finding(
    check: str, detail: str, names: Sequence[str], shown: Sequence[str] = (), level: float | None = None
) -> Finding | None:
    """Return a finding that concerns ``names``; ``shown`` is how the sentence tells them. None where there is none."""
    if not names:
        return None
    shown = shown or names
    more = len(shown) - EXAMPLES_MAX
    examples = ", ".join(shown[:EXAMPLES_MAX]) + (f" and {more} more" if more > 0 else "")
    return Finding(check, CHECKS[check], f"{detail}: {examples}", len(names), tuple(names[:EXAMPLES_MAX]), level)
