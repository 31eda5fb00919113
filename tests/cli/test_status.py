"""``wavefleet status``: how each group stands, from the ledger alone."""

import shutil

from tests.cli.worlds import FLEET, NEW, OLD, PROD, STAGING, Desk


def test_status_repeats_each_groups_sentence(desk: Desk) -> None:
    """
    The one that every channel shows, a line each; holds stand below their group.
    """
    desk.bump(STAGING, PROD)
    desk.run("cycle")

    lines = desk.run("status").out.splitlines()

    assert [f"prod → {NEW}", f"staging → {NEW}"] == [line.split(": ")[0] for line in lines if line[0] != " "]
    assert any(line.startswith("    held (GroupOrder): after staging") for line in lines), lines


def test_status_as_json_counts(desk: Desk) -> None:
    """
    By the schema: target, sentence, done, inFlight, of, holds.
    """
    desk.bump(STAGING, PROD)
    desk.run("cycle")

    prod, staging = desk.read("status", "status")["groups"]

    assert (NEW, 0, 1, 3) == (staging["target"], staging["done"], staging["inFlight"], staging["of"])
    assert (0, 0, 4) == (prod["done"], prod["inFlight"], prod["of"])
    assert ["GroupOrder"] == [hold["reason"] for hold in prod["holds"]]


def test_status_of_one_group_shows_that_alone(desk: Desk) -> None:
    """
    And an unknown one is told with those there are.
    """
    desk.run("cycle")

    assert f"prod → {OLD}: all 4 clusters on target\n" == desk.run("status", "prod").out
    assert "found no such group, expected one such as prod, staging" in desk.run("status", "other", code=1).err


def test_status_needs_no_repository(desk: Desk) -> None:
    """
    It works while the remote is down.
    """
    desk.run("cycle")
    shutil.rmtree(desk.repository.bare)

    assert f"staging → {OLD}" in desk.run("status").out


def test_a_remote_that_is_gone_is_told_while_every_group_is_at_rest(desk: Desk) -> None:
    """
    One line above the groups, and under ``holds`` in JSON, as the last cycle saw it; one group's status has it too.
    """
    desk.run("cycle")
    assert [] == desk.read("status", "status")["holds"]
    desk.repository.bare.rename(desk.folder / "away")
    desk.run("cycle", code=4)

    first, *others = desk.run("status").out.splitlines()

    assert first.startswith("fleet: held since 20"), first
    assert " (RevisionStale): the head was not confirmed since this process started" in first
    assert [f"prod → {OLD}: all 4 clusters on target", f"staging → {OLD}: all 3 clusters on target"] == others
    assert "RevisionStale" in desk.run("status", "prod", "--fail-on-hold", code=3).out
    status = desk.read("status", "status")
    assert ["RevisionStale"] == [hold["reason"] for hold in status["holds"]]
    assert [[], []] == [group["holds"] for group in status["groups"]]


def test_a_remote_that_is_back_is_told_no_more(desk: Desk) -> None:
    """
    The next cycle that confirms the head lifts it.
    """
    desk.run("cycle")
    desk.repository.bare.rename(desk.folder / "away")
    desk.run("cycle", code=4)
    (desk.folder / "away").rename(desk.repository.bare)
    desk.run("cycle")

    assert [] == desk.read("status", "status")["holds"]
    assert "fleet" not in desk.run("status", "--fail-on-hold").out


def test_the_fleet_is_no_group(desk: Desk) -> None:
    """
    What is remembered of it as a whole is not to be asked for as one of them.
    """
    desk.run("cycle")
    desk.repository.bare.rename(desk.folder / "away")
    desk.run("cycle", code=4)

    assert "fleet: found no such group" in desk.run("status", "fleet", code=1).err


def test_status_before_the_first_cycle_lacks_a_ledger(desk: Desk) -> None:
    """
    The sentence says which file was looked for, and what may be wrong; nothing is made.
    """
    done = desk.run("status", code=4)

    assert "found no ledger, expected one that a daemon made" in done.err
    assert str(desk.settings["ledger"]) in done.err
    assert not (desk.folder / "state").exists()


def test_status_fails_on_a_hold_where_asked(desk: Desk) -> None:
    """
    Exit code 3, after it was printed.
    """
    desk.bump(PROD)
    desk.run("cycle")

    desk.run("status")
    assert "GroupOrder" in desk.run("status", "--fail-on-hold", code=3).out
    desk.run("status", "staging", "--fail-on-hold")


def test_held_clusters_have_short_names_only_where_these_are_unambiguous(desk: Desk) -> None:
    """
    Two sources may each have a cluster of one name; then both are written in full.
    """
    source = "    - {name: more, type: simulated, inventory: simulation/clusters.yaml}\n"
    group = f"""\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: prod}}
spec:
  kafkaVersion: {NEW}
  clusters:
    names: [try/prod-1, more/prod-1, try/prod-3]
  holds:
    - {{cluster: try/prod-1, reason: INC-1}}
    - {{cluster: more/prod-1, reason: INC-2}}
    - {{cluster: try/prod-3, reason: INC-3}}
"""
    desk.publish({"fleet.yaml": FLEET + source, PROD: group})
    desk.run("cycle")

    (prod,) = [it for it in desk.read("status", "status")["groups"] if it["name"] == "prod"]

    held = {hold["cluster"] for hold in prod["holds"] if hold["reason"] == "ClusterHeld"}
    assert {"try/prod-1", "more/prod-1", "prod-3"} == held
