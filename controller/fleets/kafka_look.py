"""One look at a cluster's brokers: which question goes to whom, and when the time for one of them is over.

Each look opens its connections and closes them: one kept open would have to survive the restarts that it watches. Each
broker is asked on its own advertised port, because the others take a killed one for present for some seconds.

    connect, hello, login | brokers, topics | configs, log directories, quorum, reassignments  (on one connection)
                                            | connect, hello, login | cluster, log directories (each other broker)
                                            | groups' coordinators | commits | ends            (where groups are listed)
                                            | a pause | some topics again                      (where any looks offline)

What stands between two bars goes out together and costs one round trip, a login one to three. What brokers hand on to
the active controller is asked last on a connection, since without one they keep it waiting, and all that comes behind.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from controller.brokers.access import Reach
from controller.brokers.client import BrokerClient, LoginRefused, Message, NoAnswerInTime
from controller.brokers.deadline import Deadline
from controller.brokers.sockets import Address, BrokerError
from controller.errors import ObservationError
from controller.fleets import kafka_questions as questions
from controller.fleets.kafka_answers import Answers, Broker, Partition, Quorum, seen_twice
from controller.fleets.kafka_questions import Rights, Topics

AT_ONCE_MAX = 8
"""Brokers of one cluster, beside the first, that are asked at the same time."""
SECOND_LOOK_SECONDS = 1.0
"""A topic that is being created has no leader for a moment; who has none after this long is offline."""

_BOOTSTRAP_SECONDS_MIN = 2.0
"""What each bootstrap address gets, even where there are many and little time; but never more than half of it."""
_ONE_BROKER_SECONDS_MIN = 3.0
_CONTROLLER_SECONDS_MIN = 3.0
_BROKERS_SHARE = 0.6
"""Of the time that is left once the cluster is known; so a silent broker cannot take what is needed after it."""
_ASKED_AGAIN_MAX = 1000
"""Topics in one second look; of more than that, the others count as they were seen first."""
_NO_QUORUM = Quorum(-1)
_TOLD_MAX = 3
"""Brokers named in one sentence."""


def look(reach: Reach, groups: Sequence[str], deadline: Deadline) -> Answers:
    """Return what the brokers say, ``groups`` being the consumer groups to ask about.

    The bootstrap addresses are tried in turn: one that is just starting, or just stopping, does not answer in full.
    Raises ObservationError where none does, or where what they say is not enough to judge by.
    """
    options = reach.access.options()
    whys = []
    for number, text in enumerate(reach.bootstrap):
        share = deadline.left / (len(reach.bootstrap) - number)
        first = deadline.sooner(max(share, min(_BOOTSTRAP_SECONDS_MIN, deadline.left / 2)))
        try:
            with ExitStack() as opened:
                return _Look(options, groups, deadline, opened).take(Address.parse(text), first)
        except LoginRefused:
            raise  # the others would say the same, and count the tries
        except BrokerError as error:
            whys.append(str(error) if str(error).startswith(text) else f"{text}: {error}")
    raise ObservationError(f"no broker answers: {'; '.join(whys[:_TOLD_MAX])}")


@dataclass(slots=True)
class _Seen:
    """What one broker's own connection told."""

    broker: Broker
    hosted: set[str] = field(default_factory=set)
    """Topics with a replica there."""


@dataclass(slots=True)
class _Whole:
    """What one broker told of the whole cluster."""

    min_in_sync: Mapping[str, int]
    coordinators: Mapping[str, int] | None = None
    """By group; None where no group ever committed, and there is nothing to ask."""
    quorum: Quorum = _NO_QUORUM
    reassigned: tuple[str, ...] = ()


class _Look:
    """A look under way; connections stay open in ``opened`` until it is over."""

    def __init__(self, options: dict[str, Any], groups: Sequence[str], deadline: Deadline, opened: ExitStack) -> None:
        self._options = options
        self._groups = groups
        self._deadline = deadline
        self._opened = opened
        self._kafka_id = ""
        """Of the cluster that answered first; whoever answers for one of its brokers has to be of it."""
        self._rights = Rights()
        self._clients: dict[int, BrokerClient] = {}
        """By broker: those that can be asked more."""

    def take(self, address: Address, deadline: Deadline) -> Answers:
        """Put all questions, those of the whole cluster to the broker at ``address``, its first until ``deadline``."""
        first = self._open(address, deadline)
        first.put(questions.cluster(), questions.topics(), deadline=deadline)
        self._kafka_id, named = questions.read_cluster(first.take(deadline))
        brokers = _told_apart(named)
        topics = questions.read_topics(first.take(deadline), self._rights)
        level = _level_of(first)
        seen, whole = self._ask_all(first, brokers, topics)
        _require_one(seen)
        hidden = {name for it in seen for name in it.hosted} - topics.partitions.keys() - topics.gone
        partitions = self._look_again(first, topics, hidden)
        lag = self._lag(whole.coordinators, topics.leaders) if self._groups else {}
        self._rights.require()
        return Answers(
            self._kafka_id,
            level,
            tuple(it.broker for it in seen),
            tuple(
                it.needing(whole.min_in_sync[name])
                for name, them in partitions.items()
                if name in whole.min_in_sync  # else it was deleted, or made, between two questions
                for it in them
            ),
            whole.quorum,
            whole.reassigned,
            lag,
        )

    def _ask_all(self, first: BrokerClient, brokers: Sequence[Broker], topics: Topics) -> tuple[list[_Seen], _Whole]:
        """Ask each broker about itself, and the first about the whole cluster."""
        deadline = self._deadline.sooner(self._deadline.left * _BROKERS_SHARE)
        known = [it for it in brokers if not it.fenced and not it.silent]
        unasked = [_Seen(it) for it in brokers if it.fenced or it.silent]
        own = next((it for it in known if it.address == str(first.address)), None)
        others = [it for it in known if it is not own]
        # A cluster of one broker costs no threads.
        with ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="ask-brokers") as pool:
            asked = [pool.submit(self._ask_broker, it, deadline) for it in others]
            mine, whole = self._ask_first(first, own, topics, deadline)
            seen = [*mine, *(it.result() for it in asked), *unasked]
        return sorted(seen, key=lambda it: it.broker.id), whole

    def _ask_broker(self, broker: Broker, deadline: Deadline) -> _Seen:
        """Ask one broker on its own port; it counts as silent where it does not answer, or another cluster does."""
        if not deadline.left:
            return _Seen(broker)
        deadline = deadline.sooner(max(_ONE_BROKER_SECONDS_MIN, deadline.left / 2))
        try:
            client = self._open(Address.parse(broker.address), deadline)
            client.put(questions.cluster(), questions.log_dirs(), deadline=deadline)
            self._require_ours(questions.read_cluster(client.take(deadline))[0])
            told = questions.read_log_dirs(client.take(deadline), self._rights)
        except BrokerError as error:
            return _Seen(replace(broker, silent=_without_address(error, broker)))
        if self._groups:
            self._clients[broker.id] = client
        else:
            client.close()  # not kept until all brokers of a large cluster were asked
        return _Seen(replace(broker, line=client.line, directories=told[0]), told[1])

    def _require_ours(self, kafka_id: str) -> None:
        if kafka_id != self._kafka_id:
            raise BrokerError(f"the cluster {kafka_id} answers there")

    def _ask_first(
        self, client: BrokerClient, own: Broker | None, topics: Topics, deadline: Deadline
    ) -> tuple[list[_Seen], _Whole]:
        """Ask the broker that we are connected with; ``own`` is what it is, where that was by its own port."""
        with_groups = bool(self._groups) and questions.OFFSETS_TOPIC in topics.partitions
        client.put(
            # The first may be long.
            questions.configs(topics.partitions),
            *([questions.log_dirs()] if own is not None else []),
            *([questions.coordinators(self._groups)] if with_groups else []),
            questions.quorum(),
            questions.reassignments(int(deadline.left * 1000)),
            deadline=deadline,
        )
        whole = _Whole(questions.read_configs(client.take(deadline), self._rights))
        seen = []
        if own is not None:
            told = questions.read_log_dirs(client.take(deadline), self._rights)
            seen.append(_Seen(replace(own, line=client.line, directories=told[0]), told[1]))
            self._clients[own.id] = client
        if with_groups:
            whole.coordinators = questions.read_coordinators(client.take(deadline), self._rights)
        self._ask_controller(client, whole)
        return seen, whole

    def _ask_controller(self, client: BrokerClient, whole: _Whole) -> None:
        """Wait for what the active controller says; one that says nothing is none."""
        deadline = self._deadline.sooner(max(_CONTROLLER_SECONDS_MIN, self._deadline.left / 2))
        try:
            whole.quorum = questions.read_quorum(client.take(deadline), self._rights)
            if whole.quorum.leader < 0:
                return  # nobody knows what is being moved either
            whole.reassigned = questions.read_reassignments(client.take(deadline), self._rights)
        except NoAnswerInTime:
            whole.quorum = Quorum(-1, why="no active controller answers; so what is being moved is not known either")

    def _look_again(self, first: BrokerClient, topics: Topics, hidden: set[str]) -> Mapping[str, Sequence[Partition]]:
        """Return the partitions by topic, those without a leader as a second look shows them.

        ``hidden`` are topics that a broker has on its disks and that we were not told of: one that is new or gone is
        passed over, one that we may not see makes the whole cluster unknown.
        """
        leaderless = set(sorted(topics.without_leader())[:_ASKED_AGAIN_MAX])
        if leaderless and self._deadline.left < 2 * SECOND_LOOK_SECONDS:
            leaderless = set()
        if leaderless:
            time.sleep(SECOND_LOOK_SECONDS)
        asked = leaderless | set(sorted(hidden)[:_ASKED_AGAIN_MAX])
        if not asked:
            return topics.partitions
        try:
            client = first if first.usable else self._open(first.address, self._deadline)
            again = questions.read_topics(client.ask(questions.topics(asked), self._deadline), self._rights)
        except BrokerError:
            if hidden:
                raise
            return topics.partitions
        seen = {name: seen_twice(topics.partitions[name], again.partitions.get(name, ())) for name in leaderless}
        return {**topics.partitions, **seen}

    def _lag(self, coordinators: Mapping[str, int] | None, leaders: Mapping[tuple[str, int], int]) -> dict[str, int]:
        """Return how far groups are behind; one of which not all could be read is left out."""
        if coordinators is None:
            return dict.fromkeys(self._groups, 0)  # nobody ever committed anything
        by_broker: dict[int, list[str]] = {}
        for group, broker in coordinators.items():
            by_broker.setdefault(broker, []).append(group)
        committed: dict[str, Mapping[tuple[str, int], int]] = {}
        for answer in self._ask_each({broker: questions.commits(groups) for broker, groups in by_broker.items()}):
            committed |= questions.read_commits(answer, self._rights)

        by_leader: dict[int, set[tuple[str, int]]] = {}
        for partition in {partition for offsets in committed.values() for partition in offsets}:
            if partition in leaders:  # else its topic was deleted
                by_leader.setdefault(leaders[partition], set()).add(partition)
        ends: dict[tuple[str, int], int] = {}
        for answer in self._ask_each({broker: questions.ends(them) for broker, them in by_leader.items()}):
            ends |= dict(questions.read_ends(answer))

        lag = {}
        for group, offsets in committed.items():
            read = {partition: offset for partition, offset in offsets.items() if partition in leaders}
            if read.keys() <= ends.keys():
                lag[group] = sum(max(0, ends[partition] - offset) for partition, offset in read.items())
        return lag

    def _ask_each(self, asked: Mapping[int, Message]) -> Iterator[Message]:
        """Put one question to each of some brokers, and yield the answers; who cannot be asked is left out."""
        clients = []
        for broker, question in asked.items():
            client = self._clients.get(broker)
            if client is not None and client.usable:
                with suppress(BrokerError):
                    client.put(question, deadline=self._deadline)
                    clients.append(client)
        for client in clients:
            with suppress(BrokerError):
                yield client.take(self._deadline)

    def _open(self, address: Address, deadline: Deadline) -> BrokerClient:
        client = BrokerClient(address, self._options, deadline)
        self._opened.callback(client.close)
        return client


def _told_apart(brokers: Sequence[Broker]) -> Sequence[Broker]:
    """Return the brokers, those members as silent that share an address: who answers there says not which it is."""
    told = []
    for it in brokers:
        # A registration that was left behind takes nobody's address.
        others = [each.id for each in brokers if each.address == it.address and each.id != it.id and not each.fenced]
        is_shared = bool(others) and not it.fenced
        told.append(replace(it, silent=f"is advertised at the address of broker {others[0]}") if is_shared else it)
    return told


def _level_of(client: BrokerClient) -> int:
    """Return the finalized level of metadata.version.

    Raises BrokerError where the broker does not tell, ObservationError where it cannot have one.
    """
    if not client.offers(questions.quorum()):
        raise ObservationError(
            f"{client.address}: runs with ZooKeeper, and only brokers with KRaft are asked: let its group say"
            " health: {brokers: off}, or migrate it"
        )
    if client.metadata_level is None:
        raise BrokerError("does not tell which metadata.version is finalized: it is just starting")
    return client.metadata_level


def _require_one(seen: Sequence[_Seen]) -> None:
    """Raise ObservationError where no broker answered on its own port."""
    if any(it.broker.line is not None for it in seen):
        return
    whys = [f"broker {it.broker.id} ({it.broker.address}): {it.broker.silent or 'is fenced'}" for it in seen]
    raise ObservationError(
        f"no broker answers where it is advertised: {'; '.join(whys[:_TOLD_MAX])}; look at advertised.listeners and at"
        " the way from here"
    )


def _without_address(error: BrokerError, broker: Broker) -> str:
    return str(error).removeprefix(f"{broker.address}: ")
