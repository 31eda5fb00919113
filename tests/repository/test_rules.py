"""Rules over the whole declaration: who is there twice, who waits for whom, and what only the live fleet can tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.model.places import Place
from controller.repository.fields import Word
from controller.repository.judge import judge_groups
from controller.repository.rules import GROUPS_MAX, whole_problems
from controller.repository.written import WrittenGroup
from tests.builders_repository import FleetFiles, group_text


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_a_cluster_claimed_twice_by_name_is_refused(files: FleetFiles) -> None:
    """
    Both places are told, at the later one.
    """
    files.group(clusters="{names: [orders-1, orders-2]}", name="a")
    files.group(clusters="{names: [orders-3, orders-1]}", name="b")

    assert [
        (
            "groups/b.yaml:6: spec.clusters.names[1]: found 'orders-1', which the group 'a' claims too in "
            "groups/a.yaml:6, "
            "expected each cluster in one group: delete it from one of the two"
        )
    ] == files.told()


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        ("{env: prod}", "{env: prod}", "b"),
        ("{env: prod}", "{env: prod, region: eu}", "b"),
        ("{env: prod, region: eu}", "{env: prod}", "a"),
        ("{env: prod}", "{region: eu}", ""),
        ("{env: prod, region: eu}", "{env: prod, region: us}", ""),
        ("{env: prod}", "{env: test, region: eu}", ""),
    ],
)
def test_clusters_claimed_twice_by_labels_are_refused_where_files_prove_it(
    files: FleetFiles, one: str, other: str, refused: str
) -> None:
    """
    Every cluster with the narrower labels has the wider ones; labels that may or may not meet are left to the core.
    """
    files.group(clusters=f"{{selector: {{matchLabels: {one}}}}}", name="a")
    files.group(clusters=f"{{selector: {{matchLabels: {other}}}}}", name="b")

    told = files.told()

    assert bool(refused) == bool(told)
    assert all(
        line.startswith(f"groups/{refused}.yaml:6: spec.clusters.selector.matchLabels: found labels") for line in told
    )


def test_a_wider_claim_is_told_with_its_labels(files: FleetFiles) -> None:
    """
    The author sees which labels of which group the own ones lie within.
    """
    files.group(clusters="{selector: {matchLabels: {env: prod}}}", name="a")
    files.group(clusters="{selector: {matchLabels: {env: prod, region: eu}}}", name="b")

    assert [
        (
            "groups/b.yaml:6: spec.clusters.selector.matchLabels: found labels of which the group 'a' claims "
            "every cluster "
            "too in groups/a.yaml:6 (env: prod), expected labels that no cluster of the other group can have"
        )
    ] == files.told()


def test_two_groups_of_one_name_are_refused(files: FleetFiles) -> None:
    """
    A status and a ledger know a group by its name alone.
    """
    files.write("groups/zz.yaml", group_text(clusters="{names: [x]}"))

    assert [
        (
            "groups/zz.yaml:3: metadata.name: found a second group 'prod'; the first is in "
            "groups/prod.yaml:3, expected a "
            "name that no other group has"
        )
    ] == files.told()


def test_a_circle_is_told_from_end_to_end(files: FleetFiles) -> None:
    """
    Groups that wait for each other would wait for ever; each circle is told once.
    """
    files.group("  after: [c]\n", name="a")
    files.group("  after: [prod, a]\n", name="b")
    files.group("  after: [b]\n", name="c")

    assert [
        (
            "groups/a.yaml:7: spec.after[0]: found the circle a → c → b → a, expected groups that do not wait for "
            "themselves: delete one of these from `after`"
        )
    ] == files.told()


def test_ways_that_meet_again_are_no_circle(files: FleetFiles) -> None:
    """
    Two groups may wait for the same third one.
    """
    files.group("  after: [b, c]\n", name="a")
    files.group("  after: [prod]\n", name="b")
    files.group("  after: [prod]\n", name="c")

    assert [] == files.told()


def many_groups(count: int) -> list[WrittenGroup]:
    """So many groups, each after the next and the last after the first."""
    one = judge_groups("groups/prod.yaml", group_text(clusters="{names: [x]}").encode()).groups[0]

    def word(text: str) -> Word:
        return Word(text, Place("groups/prod.yaml", 7), "spec.after[0]")

    return [
        replace(one, name=word(f"g{n}"), names=(word(f"c{n}"),), after=(word(f"g{(n + 1) % count}"),))
        for n in range(count)
    ]


def test_a_long_way_is_walked_without_recursion() -> None:
    """
    Two thousand groups in a row, and the last waits for the first.
    """
    problems = list(whole_problems(many_groups(GROUPS_MAX), None, whole=True))

    assert ["the circle g0 → g1 → g2 → g3 → g4 → g5 → g6 → g7 → g8 → g9 → … → g0"] == [it.found for it in problems]


def test_too_many_groups_are_refused() -> None:
    """
    A bound on everything: the limit is told with what was found.
    """
    problems = whole_problems(many_groups(GROUPS_MAX + 1), None, whole=True)

    assert "groups/prod.yaml:1: (file): found 2001 groups in all files, expected at most 2000" in map(str, problems)


def test_a_group_in_a_file_that_cannot_be_read_is_not_called_unknown(files: FleetFiles) -> None:
    """
    One mistake is told once: what may be in the broken file is not missed elsewhere.
    """
    files.group("  after: [prod]\n", name="a")
    files.write("groups/prod.yaml", "kind:\tClusterGroup\n")

    assert ["groups/prod.yaml:1: (file): found a tab, expected spaces"] == files.told()


def test_only_the_live_fleet_can_tell_the_rest(files: FleetFiles) -> None:
    """
    A name beside labels, a group that selects nobody and a name that nobody has never refuse a revision.
    """
    files.group(clusters="{names: [bulk-0001]}", name="a")
    files.group(clusters="{selector: {matchLabels: {env: test}}}", name="b")
    files.group(clusters="{names: [nobody]}", name="c")

    assert [] == files.told()
