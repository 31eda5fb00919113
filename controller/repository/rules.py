"""Rules over the whole declaration: names that are there twice, clusters claimed twice, circles, sources.

They run on every load, whatever changed, so each is linear in what is declared (claims by labels nearly so). Only
what files alone prove is refused: what takes the live fleet to see holds in the core instead.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from controller.errors import Problem
from controller.model.catalog import Catalog
from controller.repository import defaults
from controller.repository.catalog import unknown_release
from controller.repository.fields import Word
from controller.repository.files import shown
from controller.repository.group_rules import wave_problems
from controller.repository.schema import nearest
from controller.repository.written import WrittenFleet, WrittenGroup

GROUPS_MAX = 2_000
NAMES_MAX = 200_000
"""Clusters that all groups claim by name."""
_CIRCLE_SHOWN_MAX = 10

Labels = frozenset[tuple[str, str]]


def whole_problems(groups: Sequence[WrittenGroup], fleet: WrittenFleet | None, *, whole: bool) -> Iterator[Problem]:
    """Yield what is wrong with all groups together; ``whole`` says that no group is hidden in an unread file."""
    yield from _too_many(groups)
    yield from _twice([group.name for group in groups if group.name is not None], "group")
    yield from _claimed_by_name(groups)
    yield from _claimed_by_labels(groups)
    yield from _circles(groups)
    names = {group.name.text: group for group in groups if group.name is not None}
    if whole:
        yield from _unknown_groups([word for group in groups for word in group.after], names)
    if whole and fleet is not None:
        exact = [word for freeze in fleet.freezes for word in freeze.groups if "*" not in word.text]
        yield from _unknown_groups(exact, names)
        yield from _unmatched([word for it in fleet.expedite for word in it.groups], names)


def fleet_problems(fleet: WrittenFleet) -> Iterator[Problem]:
    """Yield what is wrong with the fleet by itself."""
    yield from _twice([source.name for source in fleet.sources if source.name is not None], "source")
    if fleet.defaults.strategy is not None and "defaults" not in fleet.broken:
        yield from wave_problems(fleet.defaults.strategy)
    yield from _second_limits([limit.label for limit in fleet.limits.per_domain if limit.label is not None])


def fleet_release_problems(fleet: WrittenFleet, catalog: Catalog) -> Iterator[Problem]:
    """Yield what is wrong with the releases that the fleet names itself."""
    for word in (it.version for it in fleet.expedite):
        problem = unknown_release(word, catalog) if word is not None else None
        if problem is not None:
            yield problem


def _too_many(groups: Sequence[WrittenGroup]) -> Iterator[Problem]:
    if len(groups) > GROUPS_MAX:
        yield Problem(groups[-1].place.file, 1, "", f"{len(groups)} groups in all files", f"at most {GROUPS_MAX}")
    count = sum(len(group.names) for group in groups)
    if count > NAMES_MAX:
        yield Problem(groups[-1].place.file, 1, "", f"{count} names of clusters in all groups", f"at most {NAMES_MAX}")


def _twice(names: Sequence[Word], what: str) -> Iterator[Problem]:
    first: dict[str, Word] = {}
    for name in names:
        before = first.setdefault(name.text, name)
        if before is not name:
            found = f"a second {what} {shown(name.text)}; the first is in {before.place}"
            yield name.problem(f"a name that no other {what} has", found=found)


def _claimed_by_name(groups: Sequence[WrittenGroup]) -> Iterator[Problem]:
    first: dict[str, tuple[Word, WrittenGroup]] = {}
    for group in groups:
        for name in group.names:
            before, other = first.setdefault(name.text, (name, group))
            if other is not group:
                found = f"{shown(name.text)}, which {_called(other)} claims too in {before.place}"
                yield name.problem("each cluster in one group: delete it from one of the two", found=found)


def _claimed_by_labels(groups: Sequence[WrittenGroup]) -> Iterator[Problem]:
    """A cluster with the labels of the narrower group has those of the wider one too.

    Each group is filed under its rarest label, so that a group meets few others when it looks under all of its own.
    """
    labels: list[tuple[Labels, WrittenGroup]] = [
        (frozenset(group.labels.items()), group) for group in groups if group.labels and "clusters" not in group.broken
    ]
    counts = Counter(label for one, _ in labels for label in one)
    filed: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, (one, _) in enumerate(labels):
        filed[min(one, key=lambda label: (counts[label], label))].append(index)
    for index, (one, group) in enumerate(labels):
        candidates = (at for label in sorted(one) for at in filed[label])
        wider = next((at for at in candidates if _claims_too(labels[at][0], one, before=at < index)), None)
        if wider is not None:
            other = labels[wider][1]
            found = f"labels of which {_called(other)} claims every cluster too in {other.claims.place}"
            expected = "labels that no cluster of the other group can have"
            yield group.claims.problem(expected, found=f"{found} ({_listed(labels[wider][0])})")


def _claims_too(wider: Labels, narrower: Labels, *, before: bool) -> bool:
    return wider < narrower or (wider == narrower and before)


def _listed(labels: Labels) -> str:
    return ", ".join(f"{key}: {value}" for key, value in sorted(labels))


def _unknown_groups(words: Sequence[Word], groups: Mapping[str, WrittenGroup]) -> Iterator[Problem]:
    for word in words:
        if word.text not in groups:
            near = nearest(word.text, groups)
            expected = f"the group {shown(near)}, which is the nearest" if near else "the name of a group in groups/"
            yield word.problem(expected, found=f"{shown(word.text)}, which is no group of this fleet")


def _unmatched(words: Sequence[Word], groups: Mapping[str, WrittenGroup]) -> Iterator[Problem]:
    """Yield patterns that match no group: a mistyped one would be urgent for nobody. `*` means all, even of none."""
    matched: dict[str, bool] = dict.fromkeys(defaults.EVERY_GROUP, True)
    for word in words:
        if word.text not in matched:
            matched[word.text] = word.text in groups or any(fnmatchcase(name, word.text) for name in groups)
        if not matched[word.text]:
            near = nearest(word.text, groups)
            expected = f"the group {shown(near)}, which is the nearest" if near else "a pattern that a group matches"
            yield word.problem(expected, found=f"{shown(word.text)}, which matches no group of this fleet")


def _second_limits(labels: Sequence[Word]) -> Iterator[Problem]:
    first: dict[str, Word] = {}
    for label in labels:
        before = first.setdefault(label.text, label)
        if before is not label:
            found = f"a second limit of {shown(label.text)}; the first is in {before.place}"
            yield label.problem("one limit for each label", found=found)


def _circles(groups: Sequence[WrittenGroup]) -> Iterator[Problem]:
    """Yield every circle that a walk along ``after`` closes, told at its group with the first name."""
    ways = {group.name.text: {word.text: word for word in group.after} for group in groups if group.name is not None}
    done: set[str] = set()
    for start in sorted(ways):
        trail: dict[str, Iterator[str]] = {}
        ahead: str | None = start
        while ahead is not None or trail:
            if ahead is not None and ahead not in done and ahead in ways:
                if ahead in trail:
                    yield _circle(list(trail)[list(trail).index(ahead) :], ways)
                else:
                    trail[ahead] = iter(ways[ahead])
            here = next(reversed(trail), None)
            ahead = next(trail[here], None) if here is not None else None
            if here is not None and ahead is None:
                done.add(here)
                del trail[here]


def _circle(names: list[str], ways: Mapping[str, Mapping[str, Word]]) -> Problem:
    first = names.index(min(names))
    ring = [*names[first:], *names[:first]]
    told = [*ring, ring[0]] if len(ring) <= _CIRCLE_SHOWN_MAX else [*ring[:_CIRCLE_SHOWN_MAX], "…", ring[0]]
    word = ways[ring[0]][ring[1] if len(ring) > 1 else ring[0]]
    found = f"the circle {' → '.join(told)}"
    return word.problem("groups that do not wait for themselves: delete one of these from `after`", found=found)


def _called(group: WrittenGroup) -> str:
    return f"the group {shown(group.name.text)}" if group.name is not None else "another group"
