"""Chooses the one next move of a cluster's operator: what runs and what is seen in, a move out. Pure.

A roll is not a procedure that could be interrupted, but a rule asked again after every look: start what is down, move
a broker only while every *other* broker is fully there, the active controller last; finalize once all are. So it does
not matter when the operator dies, or who changes the wanted release half way. It reads, awaits and touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.lab.cluster_view import ClusterView

OWN_STARTS_MAX = 2
"""So often a stopped broker is started on its own release before it may be tried on the wanted one."""


@dataclass(frozen=True, slots=True)
class Node:
    """One broker, as its process and its file show it."""

    id: int
    assigned: str
    """The release it is to run; see BrokerFile."""
    running: str | None
    """The release its process runs; None while it has none."""
    stopping: bool = False
    """It was asked to stop and has not ended yet."""
    starts_failed: int = 0
    """Starts in a row after which it ended without having been seen fully there."""
    held: bool = False
    """It is broken on purpose, and stays as it is until that is mended."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One cluster at one moment."""

    nodes: tuple[Node, ...]
    wanted: str | None
    """The release to roll to; None when there is none that may be rolled to (refused, or not yet judged)."""
    view: ClusterView | None
    """None while no broker answers."""
    level: int | None = None
    """The level to finalize metadata.version at; None when nothing is to be finalized."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the stopped brokers, each on its assigned release."""

    brokers: tuple[int, ...]

    def __str__(self) -> str:
        return f"starting {_named(self.brokers)}"


@dataclass(frozen=True, slots=True)
class Assign:
    """Give one broker another release; it is stopped and started for that by the moves that follow."""

    broker: int
    release: str

    def __str__(self) -> str:
        return f"rolling broker {self.broker} to {self.release}"


@dataclass(frozen=True, slots=True)
class StopForRoll:
    """Ask one broker to shut down in order, because its process runs another release than it is assigned."""

    broker: int

    def __str__(self) -> str:
        return f"stopping broker {self.broker} to roll it"


@dataclass(frozen=True, slots=True)
class Await:
    """Do nothing but look again."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Finalize:
    """Raise metadata.version, since every broker runs the wanted release and is fully there."""

    level: int

    def __str__(self) -> str:
        return f"finalizing metadata.version at level {self.level}"


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is left to do: every broker is on its release and fully there."""

    def __str__(self) -> str:
        return "nothing left to do"


Move = Start | Assign | StopForRoll | Await | Finalize | Rest


def next_move(situation: Situation) -> Move:
    """The one next move. Same situation, same move."""
    nodes = situation.nodes
    stopping = tuple(node.id for node in nodes if node.stopping)
    if stopping:
        return Await(f"waiting for {_named(stopping)} to shut down in order")
    stopped = tuple(node for node in nodes if node.running is None and not node.held)
    if stopped:
        return _move_of_stopped(stopped, situation.wanted)
    down = tuple(node.id for node in nodes if node.running is None)
    if down:
        return Await(f"waiting for {_named(down)}, broken on purpose, to be mended")
    for node in nodes:
        if node.running == situation.wanted and node.assigned != situation.wanted:
            return Assign(node.id, str(situation.wanted))  # its roll was called off before it was stopped
    due = [node for node in nodes if situation.wanted not in {None, node.running}]
    return _move_of_due(due, situation) if due else _finish(situation)


def _move_of_stopped(stopped: tuple[Node, ...], wanted: str | None) -> Move:
    """A stopped broker starts on its own release; one that cannot is better off on the wanted one."""
    for node in stopped:
        if node.starts_failed >= OWN_STARTS_MAX and wanted not in {None, node.assigned}:
            return Assign(node.id, str(wanted))
    return Start(tuple(node.id for node in stopped))


def _move_of_due(due: list[Node], situation: Situation) -> Move:
    """Move the broker that lacks something already, else any but the active controller, while all others are there.

    A broker is first assigned and only at the next look stopped, so two looks agree before a process is touched.
    """
    view = situation.view
    if view is None:
        return Await("waiting for the cluster to answer")
    lacking = view.lacking(frozenset(node.id for node in situation.nodes))
    half_done = {node.id for node in due if node.assigned == situation.wanted}
    node = min(
        due, key=lambda node: (node.id not in lacking, node.id not in half_done, node.id == view.controller, node.id)
    )
    others = lacking - {node.id}
    if others:
        return Await(f"waiting for {_named(sorted(others))} to be in sync before broker {node.id} is rolled")
    if view.leaderless and node.id not in lacking:
        return Await(f"waiting for leaders of {view.leaderless} partitions before broker {node.id} is rolled")
    return StopForRoll(node.id) if node.id in half_done else Assign(node.id, str(situation.wanted))


def _finish(situation: Situation) -> Move:
    """Finalize only what is whole: a level can never be lowered again."""
    view = situation.view
    if view is None:
        return Await("waiting for the cluster to answer")
    lacking = view.lacking(frozenset(node.id for node in situation.nodes))
    if lacking:
        return Await(f"waiting for {_named(sorted(lacking))} to be registered and in sync")
    if view.leaderless:
        return Await(f"waiting for leaders of {view.leaderless} partitions")
    if situation.wanted is not None and situation.level is not None and view.metadata_level < situation.level:
        return Finalize(situation.level)
    return Rest()


def _named(brokers: tuple[int, ...] | list[int]) -> str:
    return ("broker " if len(brokers) == 1 else "brokers ") + ", ".join(str(broker) for broker in brokers)
