"""A fleet of real clusters on its way up, back, and up again, under load: nothing that was acknowledged is lost."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.lab_commands import lab, lab_load
from tests.system.lab_fixtures import lab_folder
from tests.system.lab_fleets import SECONDS_MAX, LabFleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

OLDEST, OLD, NEW = "3.9.2", "4.1.2", "4.3.1"
LEVEL_41, LEVEL_43 = 27, 30
LOADED = ("orders-1", "orders-2")
CLUSTERS = (*LOADED, "audit-1", "audit-2")
RULES = """\
  strategy:
    waves:
      - {{name: canary, size: 1, soak: 3s}}
      - {{name: rest, size: rest, soak: 3s, maxInFlight: 2}}
    deadline: 10m
  finalize: {{soak: {quiet}}}
  acceptRisks: [KIP-896]"""
DONE = "all 4 clusters converged and soaked"


@pytest.fixture
def real(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    """Two clusters of three brokers and two of one, all on the oldest release."""
    with lab_folder(tmp_path_factory.mktemp("lab")) as directory:
        shapes = [f"--cluster={name}={OLDEST}:{3 if name in LOADED else 1}" for name in CLUSTERS]
        lab("up", "--dir", str(directory), *shapes)
        yield LabFleet(directory, tmp_path, CLUSTERS)


def test_a_fleet_goes_up_and_back_and_up_under_load_and_loses_nothing(real: LabFleet) -> None:
    """
    3.9.2 to 4.1.2, with its level raised in a rollout of its own; to 4.3.1 and back by a reverted commit while the
    level allows it; up again and finalized, after which a revert holds and says since when. No record is lost.
    """
    later, soon = (RULES.format(quiet=quiet) for quiet in ("1h", "3s"))
    real.merge(OLDEST, later)
    with ExitStack() as stack:
        loads = [stack.enter_context(lab_load(real.directory, name, rate=50)) for name in LOADED]
        for load in loads:
            load.await_more()
        stack.enter_context(real.daemon)
        real.await_sentence("all 4 clusters on target")

        real.merge(OLD, soon)
        real.await_sentence(f"real → {OLD}: {DONE}")
        assert {OLD} == real.releases()
        real.await_sentence(DONE, "real/metadata")
        assert {LEVEL_41} == real.levels()

        real.merge(NEW, later)
        real.await_sentence(f"real → {NEW}: {DONE}")
        assert ({NEW}, {LEVEL_41}) == (real.releases(), real.levels())
        real.merge(OLD, later)
        real.daemon.await_until(lambda: real.releases() == {OLD}, "the way back", SECONDS_MAX)
        real.daemon.await_until(lambda: len(real.entries("RolloutEnded")) == 4, "the end of the way back", SECONDS_MAX)

        real.merge(NEW, soon)
        real.await_sentence(f"real → {NEW}: {DONE}")
        real.await_sentence(DONE, "real/metadata")
        assert ({NEW}, {LEVEL_43}) == (real.releases(), real.levels())
        real.merge(OLD, soon)
        shut = real.await_hold("NoLegalHop")
        for load in loads:
            load.await_more()
        assert 0 == real.daemon.stop()
        sent = [load.stop() for load in loads]
        found = [load.verify() for load in loads]

    assert ({NEW}, {LEVEL_43}) == (real.releases(), real.levels())
    assert "its metadata.version is 4.3-IV0, and 4.1.2 serves at most 4.1-IV1" in shut["detail"]
    assert "that level was finalized " in shut["detail"], "since when the way is shut"
    assert [0, 0] == [each["failed"] for each in sent]
    assert all(each["acknowledged"] > 5000 for each in found), found
    assert {(0, 0, 0)} == {(each["lost"], each["duplicated"], each["outOfOrder"]) for each in found}
    _check_order(real)


def _check_order(real: LabFleet) -> None:
    """Each level was raised in a rollout of its own after its release, and every cluster was started once in each."""
    planned = [(entry["kind"], entry["target"]) for entry in real.entries("RolloutPlanned")]
    assert [
        ("software", OLD),
        ("metadata", "4.1-IV1"),
        ("software", NEW),
        ("software", OLD),
        ("software", NEW),
        ("metadata", "4.3-IV0"),
    ] == planned
    started = [(entry["rollout"], entry["cluster"]) for entry in real.entries("ClusterStarted")]
    assert len(started) == len(set(started)) == len(planned) * len(CLUSTERS)
