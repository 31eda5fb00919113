"""``wavefleet explain``: every gate's answer for one cluster."""

import pytest

from tests.cli.worlds import AT, FLEET, INVENTORY, NEW, OLD, PROD, STAGING, Desk


def test_a_cluster_that_waits_is_told_every_answer(desk: Desk) -> None:
    """
    As JSON by the schema: what it runs, its target and the line that declared it, passes and holds alike.
    """
    desk.bump(STAGING, PROD)

    told = desk.read("explain", "explain", "prod-1", "--at", AT)

    assert ("try/prod-1", "prod", NEW, OLD) == (told["cluster"], told["group"], told["target"], told["runs"])
    assert f"{PROD}:5" == told["declaredAt"]
    answers = {answer["gate"]: answer["reason"] for answer in told["answers"]}
    assert "GroupOrder" == answers["group order"]
    assert {"pass", "hold"} == {answer["answer"] for answer in told["answers"]}


def test_the_answers_are_lines(desk: Desk) -> None:
    """
    A line per gate, with reason and sentence where it holds.
    """
    desk.bump(STAGING, PROD)

    lines = desk.run("explain", "prod-1", "--at", AT).out.splitlines()

    assert f"try/prod-1: runs {OLD}" == lines[0]
    assert any(line.startswith("    hold  group order (GroupOrder): after staging") for line in lines), lines
    assert "    pass  freeze" in lines


def test_a_cluster_on_target_is_asked_only_how_it_is(desk: Desk) -> None:
    """
    It has nowhere to go, and that is the answer; what would hold a start is not asked.
    """
    told = desk.read("explain", "explain", "staging-1")

    assert f"it runs its target, {OLD}" == told["sentence"]
    assert {"pass"} == {answer["answer"] for answer in told["answers"]}
    assert {"window", "group order", "hop"}.isdisjoint(answer["gate"] for answer in told["answers"])


def test_a_cluster_that_no_group_claims_is_said_to_be_left_alone(desk: Desk) -> None:
    """
    It is reported, and never touched.
    """
    told = desk.read("explain", "explain", "stray-1")

    assert (None, None, None) == (told["group"], told["target"], told["declaredAt"])
    assert "no group claims it" in told["sentence"]


@pytest.mark.parametrize("name", ["prod-2", "try/prod-2"])
def test_short_and_full_names_mean_the_same(desk: Desk, name: str) -> None:
    """
    As long as the short one is unambiguous.
    """
    assert "try/prod-2" == desk.read("explain", "explain", name)["cluster"]


def test_an_unknown_cluster_is_told_with_the_nearest_ones(desk: Desk) -> None:
    """
    A slip of the finger is mended in one look.
    """
    done = desk.run("explain", "prdo-3", code=1)

    assert "prdo-3: found no such cluster, expected one such as " in done.err
    assert "prod-3" in done.err


def test_an_ambiguous_cluster_is_told_with_its_full_names(desk: Desk) -> None:
    """
    Two sources may each have a cluster of one name.
    """
    source = "    - {name: more, type: simulated, inventory: simulation/clusters.yaml}\n"
    desk.publish({"fleet.yaml": FLEET + source, "simulation/clusters.yaml": INVENTORY})

    done = desk.run("explain", "prod-1", code=1)

    assert "prod-1: found 2 clusters (more/prod-1, try/prod-1), expected one; write a full name" in done.err
    desk.run("explain", "more/prod-1")
