"""The simulated fleet: a source of live clusters that needs nothing but an inventory, the embedded default.

What a cluster shows is computed (``simulated_clusters``), what was asked of it is remembered (``simulated_state``). A
cluster's value is kept and handed out again until the moment at which it can change, so a quiet fleet costs nothing.
Every reading is a full one, since reading a simulated cluster's health is free.
"""

import heapq
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from controller.atomic import NotSynced
from controller.errors import ApplyInDoubt, ApplyRefused, ObservationError
from controller.fleets.simulated_clusters import asked, look, wish_at
from controller.fleets.simulated_faults import faults_by_cluster
from controller.fleets.simulated_levels import level_at
from controller.fleets.simulated_rolls import LevelWish, Script, Wish, first_wish
from controller.fleets.simulated_state import State, StateFile
from controller.model.inventory import Inventory
from controller.model.observation import ObservedCluster, SourceReading, Unknown
from controller.model.plan import Start
from controller.versions import MetadataVersion


class SimulatedSource:
    """A FleetSource on ``inventory`` whose state lives in ``state_file``, or in this object where that is None.

    ``read_only`` is for commands that only look: they never begin a simulation and never change one.
    """

    def __init__(self, name: str, inventory: Inventory, state_file: Path | None, *, read_only: bool = False) -> None:
        self._name = name
        self._file = StateFile(name, state_file)
        self._read_only = read_only
        self._mutex = threading.Lock()
        self._state: State | None = None
        self._seen: dict[str, ObservedCluster] = {}
        self._changes: list[tuple[datetime, str]] = []
        self._last_read_at: datetime | None = None
        self._take(inventory)

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    @property
    def next_change(self) -> datetime | None:
        """The earliest moment at which a cluster may show something else; None = not before something is asked of it.

        As of the last reading.
        """
        with self._mutex:
            return self._changes[0][0] if self._changes else None

    def replace_inventory(self, inventory: Inventory) -> None:
        """Go on with another revision of the inventory: clusters come and go, what was asked of the others stays.

        A cluster that left and comes back is as it would be had it stayed.
        """
        with self._mutex:
            if inventory != self._inventory:
                self._take(inventory)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster as it stands at ``now``; ObservationError where the state file cannot be used."""
        del full  # every reading is a full one
        with self._mutex:
            state = self._file.read() or self._begun(now)
            due = self._due(state, now)
            self._state, self._last_read_at = state, now
            self._look_at(due, state, now)
            return SourceReading(self._name, self._seen)

    def start(self, start: Start, now: datetime) -> None:
        """Ask a cluster for another release or a higher metadata.version, as FleetSource says."""
        with self._mutex:
            try:
                with self._file.locked():
                    self._start(start, now)
            except NotSynced as error:
                raise ApplyInDoubt(f"{start.cluster}: {error.filename}: {error.strerror}") from error
            except (ObservationError, OSError) as error:
                raise ApplyRefused(
                    f"{start.cluster}: the simulated fleet's state cannot be changed: {error}"
                ) from error

    def _start(self, start: Start, now: datetime) -> None:
        source, _, name = start.cluster.partition("/")
        if source != self._name or name not in self._clusters:
            raise ApplyRefused(f"{start.cluster}: is gone: source {self._name} has no such cluster; look again")
        state = self._file.read()
        if state is None or self._read_only:
            raise ApplyRefused(f"{start.cluster}: this simulated fleet was opened for reading alone, or never read")
        script, recorded = self._script(name, state), state.wishes.get(name)
        if isinstance(unknown := look(script, recorded, now).reading, Unknown):
            raise ApplyRefused(f"{start.cluster}: {unknown.why}; look again")
        wish = _wished(start, script, recorded or first_wish(script.cluster), now)
        if wish != recorded:
            self._file.write(replace(state, wishes={**state.wishes, name: wish}))

    def _take(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._clusters = {cluster.name: cluster for cluster in inventory.clusters}
        self._faults = faults_by_cluster(inventory)
        self._last_read_at = None

    def _begun(self, now: datetime) -> State:
        """Let the simulation begin at ``now``, unless another process was first."""
        if self._read_only:
            return self._state or State(now)
        try:
            with self._file.locked():
                state = self._file.read()
                if state is None:
                    state = State(now)
                    self._file.write(state)
                return state
        except OSError as error:
            sentence = f"source {self._name}: its state cannot be written: {error}; mend the folder or its permissions"
            raise ObservationError(sentence) from error

    def _due(self, state: State, now: datetime) -> Iterable[str]:
        """Return the clusters that may show something else than when they were last looked at."""
        if self._state is None or self._last_read_at is None or now < self._last_read_at:
            self._changes.clear()
            gone = self._seen.keys() - {self._full(name) for name in self._clusters}
            self._seen = {name: cluster for name, cluster in self._seen.items() if name not in gone}
            return self._clusters
        due = set(_differing(self._state, state)) & self._clusters.keys()
        while self._changes and self._changes[0][0] <= now:
            due.add(heapq.heappop(self._changes)[1])
        return due

    def _look_at(self, due: Iterable[str], state: State, now: datetime) -> None:
        changed: dict[str, ObservedCluster] = {}
        for name in due:
            seen = look(self._script(name, state), state.wishes.get(name), now)
            if seen.until is not None:
                heapq.heappush(self._changes, (seen.until, name))
            observed = ObservedCluster(self._full(name), self._clusters[name].labels, seen.reading)
            if observed != self._seen.get(observed.name):
                changed[observed.name] = observed
        if changed:
            # What was handed out before is never changed.
            self._seen = {**self._seen, **changed}

    def _script(self, name: str, state: State) -> Script:
        return Script(self._clusters[name], self._faults.get(name, ()), state.started_at)

    def _full(self, name: str) -> str:
        return f"{self._name}/{name}"


def _wished(start: Start, script: Script, first: Wish, now: datetime) -> Wish:
    """Return what is to be remembered once ``start`` is taken, given that ``first`` was before."""
    wish = wish_at(script, first, now)
    if wish.mark not in (None, start.fleet):
        raise ApplyRefused(f"{start.cluster}: belongs to the fleet {wish.mark!r}, not to {start.fleet!r}")
    if isinstance(start.target, MetadataVersion):
        return _with_level(start, start.target, script, first, now)
    if wish.release == start.target and start.token == wish.asked_with:
        return wish
    _require_unchanged(start, wish)
    if wish.release == start.target:
        return replace(wish, mark=start.fleet)
    left = asked(script, wish, now)
    return replace(
        left,
        generation=wish.generation + 1,
        release=start.target,
        asked_at=now,
        asked_with=start.token,
        mark=start.fleet,
        level=_pinned(start, left.level),
    )


def _with_level(start: Start, target: MetadataVersion, script: Script, first: Wish, now: datetime) -> Wish:
    """Return ``first`` with the level of ``start``; what others do to its release goes on as it would have."""
    wish = wish_at(script, first, now)
    if wish.level is not None and (wish.level.level, wish.level.asked_with) == (target, start.token):
        return first
    _require_unchanged(start, wish)
    finalized = level_at(script, wish, now)
    if finalized is None:
        raise ApplyRefused(f"{start.cluster}: has no metadata.version to raise to {target}: it runs with ZooKeeper")
    if target < finalized:
        raise ApplyRefused(f"{start.cluster}: metadata.version is at {finalized} and is never lowered to {target}")
    if wish.level is not None and wish.level.level == target:
        return replace(first, mark=start.fleet)
    level = LevelWish(target, finalized, now, start.token)
    return replace(first, generation=first.generation + 1, mark=start.fleet, level=level)


def _pinned(start: Start, level: LevelWish | None) -> LevelWish | None:
    """Return the level's wish beside a new release: what is not finalized yet is withdrawn where the write pins."""
    if level is None or start.pinned is None:
        return level
    return replace(level, level=level.before)


def _require_unchanged(start: Start, wish: Wish) -> None:
    if start.token != str(wish.generation):
        found = f"{wish.release}" if wish.level is None else f"{wish.release} and {wish.level.level}"
        raise ApplyRefused(
            f"{start.cluster}: found generation {wish.generation} asking for {found}, expected generation"
            f" {start.token}: it was changed meanwhile; look again"
        )


def _differing(before: State, after: State) -> Iterable[str]:
    """Return the clusters that were asked for something between two states."""
    if before is after:
        return ()
    if before.started_at != after.started_at:
        return {*before.wishes, *after.wishes}
    changed = {
        name for name, wish in after.wishes.items() if wish is not (old := before.wishes.get(name)) and wish != old
    }
    return changed | (before.wishes.keys() - after.wishes.keys())
