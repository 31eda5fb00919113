"""Rules of one group that its schema cannot state, each with file and line: waves, approvals, holds, gates, releases.

They need the group, the fleet's defaults and the catalog, and no other group. Nothing is concluded from a field in
which the schema found a problem: one mistake is told once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.errors import Problem
from controller.model.catalog import Catalog
from controller.model.declaration import Finalize
from controller.repository import defaults
from controller.repository.catalog import unknown_metadata_version, unknown_release
from controller.repository.fields import Word
from controller.repository.files import shown
from controller.repository.schema import nearest
from controller.repository.written import WrittenApproval, WrittenGroup, WrittenSettings, WrittenStrategy
from controller.versions import KafkaVersion


@dataclass(frozen=True, slots=True)
class Ground:
    """What the words of a group are read against."""

    defaults: WrittenSettings | None
    """The fleet's; None where they could not be read, so that nobody knows."""
    catalog: Catalog | None
    """None where the fleet's additions could not be read."""


def group_problems(group: WrittenGroup, ground: Ground) -> Iterator[Problem]:
    """Yield what is wrong with one group."""
    if ground.catalog is not None:
        yield from _unknown_releases(group, ground.catalog)
        yield from _metadata_problems(group, ground.catalog)
    if group.settings.strategy is not None and "strategy" not in group.broken:
        yield from wave_problems(group.settings.strategy)
    names = _wave_names(group, ground)
    for approval in group.approvals if names is not None else ():
        yield from _approval_problems(approval, names or ())
    if group.names and not {"clusters", "holds"} & group.broken:
        yield from _hold_problems(group)
    yield from _second([gate.name for gate in group.gates], "gate")
    if group.name is not None:
        yield from _acknowledge_problems(group.acknowledge, group.name.text)


def wave_problems(strategy: WrittenStrategy) -> Iterator[Problem]:
    """Yield what is wrong with the waves of a strategy, a group's own or the fleet's default."""
    waves = strategy.waves
    if waves is None:
        return
    rests = [index for index, wave in enumerate(waves) if wave.size is not None and wave.size.is_rest]
    if not rests:
        found = f"waves that never reach rest: the last has the size {waves[-1].size}" if waves else "no waves"
        yield strategy.where.problem("a last wave with `size: rest`, so that every cluster is reached", found=found)
    for wave in waves[rests[0] + 1 :] if rests else ():
        yield wave.where.problem("`size: rest` in the last wave alone", found="a wave after rest, with nothing left")
    for wave in waves:
        if wave.selects is not None and wave.size is not None and wave.size.is_rest:
            expected = "no `select` there: the last wave takes every cluster that is left"
            yield wave.selects.problem(expected, found="a wave with `size: rest` that selects by labels")
    yield from _second([wave.name for wave in waves], "wave")


def _second(names: Iterable[Word | None], what: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name is not None and name.text in seen:
            yield name.problem(f"a name that no other {what} here has", found=f"a second {_quoted(name)}")
        elif name is not None:
            seen.add(name.text)


def _unknown_releases(group: WrittenGroup, catalog: Catalog) -> Iterator[Problem]:
    words = (group.target, *(it.version for it in group.approvals), *(it.version for it in group.expedite))
    levels = (approval.metadata_version for approval in group.approvals)
    problems = [unknown_release(word, catalog) for word in words if word is not None]
    problems += [unknown_metadata_version(level, catalog) for level in levels if level is not None]
    yield from (problem for problem in problems if problem is not None)


def _metadata_problems(group: WrittenGroup, catalog: Catalog) -> Iterator[Problem]:
    """A level that the target does not serve could never be finalized, so the commit is refused."""
    word = group.metadata_version
    if word is None or word.text in set(Finalize):
        return
    unknown = unknown_metadata_version(word, catalog)
    if unknown is not None:
        yield unknown
        return
    release = catalog.releases.get(KafkaVersion.parse(group.target.text)) if group.target is not None else None
    if release is None:
        return  # An unknown target is told already.
    if release.metadata_version is None:
        yield word.problem(f"auto or hold: {release.version} has no metadata.version")
    elif catalog.metadata_versions[word.text] > release.metadata_version:
        found = f"{_quoted(word)}, which {release.version} does not serve"
        yield word.problem(f"at most {release.metadata_version}, the highest that it serves, or auto", found=found)


def _wave_names(group: WrittenGroup, ground: Ground) -> tuple[str, ...] | None:
    """Return the names of the group's waves, wherever they come from; None where nobody can tell."""
    strategy = group.settings.strategy
    if "strategy" in group.broken or (strategy is None and ground.defaults is None):
        return None
    if strategy is None and ground.defaults is not None:
        strategy = ground.defaults.strategy
    if strategy is None or strategy.waves is None:
        return tuple(name for name, _ in defaults.WAVES)
    names = tuple(wave.name.text for wave in strategy.waves if wave.name is not None)
    return names if len(names) == len(strategy.waves) else None


def _approval_problems(approval: WrittenApproval, names: tuple[str, ...]) -> Iterator[Problem]:
    wave = approval.wave
    if wave is not None and wave.text not in names:
        found = f"{_quoted(wave)}, which is no wave of this group"
        yield wave.problem(_one_of("wave", wave.text, names), found=found)


def _hold_problems(group: WrittenGroup) -> Iterator[Problem]:
    """A hold may name a cluster in full that the group names in short, and the other way round."""
    names = tuple(name.text for name in group.names)
    claimed = frozenset(names)
    short = {form for name in names for form in _forms(name)}
    for cluster in (hold.cluster for hold in group.holds if hold.cluster is not None):
        if cluster.text not in short and claimed.isdisjoint(_forms(cluster.text)):
            found = f"{_quoted(cluster)}, which this group does not claim"
            yield cluster.problem(_one_of("cluster of this group", cluster.text, names), found=found)


def _forms(name: str) -> tuple[str, ...]:
    """Return a cluster's name and what is left of it without its source and without its namespace."""
    parts = name.split("/")
    return tuple("/".join(parts[at:]) for at in range(len(parts)))


def _acknowledge_problems(words: tuple[Word, ...], name: str) -> Iterator[Problem]:
    for word in words:
        if word.text.rpartition("-")[0] != name:
            yield word.problem(f"a halt or quarantine of this very group, written {name}-N, such as {name}-7")


def _one_of(what: str, word: str, known: tuple[str, ...]) -> str:
    near = nearest(word, known)
    listed = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
    return f"the {what} {shown(near)}, which is the nearest" if near else f"a {what}: {listed}"


def _quoted(word: Word) -> str:
    return shown(word.text)
