"""``wavefleet demo``: the whole story, from a bump to its end, and nothing left behind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.daemons import environment

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 280
NEW = "4.3.1"
LEVEL = "4.3-IV0"


@pytest.mark.timeout(300)
def test_the_demo_tells_its_story_to_the_end(tmp_path: Path) -> None:
    """
    Bump, waves, soak, a late failure that halts, the acknowledging commit, the end, a finalization; at the close the
    notes of the commits in the form of Git's own log. It reads no settings and leaves nothing in its folder, its home,
    or the folder for temporary files.
    """
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "controller", "demo"],
        cwd=tmp_path,
        env=environment({"interval": "soon"}) | places | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert [] == list(tmp_path.iterdir())
    check_order(
        done.stdout,
        f"merged: Upgrade to Kafka {NEW}",
        "wave 1 canary admitted, 1 cluster: ",
        "wave 1 has soaked",
        f"done: staging runs {NEW}",
        "wave 2 early admitted, 3 clusters: ",
        "team-eu-05 failed: unhealthy after it converged",
        "A person must act: prod-eu halted as prod-eu-1",
        "merged: Disk of team-eu-05 replaced, go on",
        "prod-eu-1 acknowledged by Git",
        "team-eu-05 quarantined as prod-eu-2",
        "prod-eu-2 acknowledged by Git",
        f"done: prod-eu runs {NEW}",
        f"done: staging has finalized {LEVEL}",
        "$ git log --notes=wavefleet",
    )
    check_notes(done.stdout.partition("$ git log --notes=wavefleet")[2])


def check_order(text: str, *expected: str) -> None:
    """Fail where one of these is missing, or comes before the one before it."""
    place = 0
    for words in expected:
        found = text.find(words, place)
        assert found >= 0, f"{words!r} is not there, or too early, in\n{text}"
        place = found


def check_notes(text: str) -> None:
    """Every line of a note is STATE CONTEXT: DESCRIPTION; of the bump's commit only a finalization is still to come."""
    bump = re.split(r"^[0-9a-f]{7,} ", text, flags=re.MULTILINE)[-2]
    subject, *notes = bump.strip().splitlines()
    assert f"Upgrade to Kafka {NEW}" == subject
    found = [re.fullmatch(r"(\w+) wavefleet/([\w/-]+): .{1,140}", line) for line in notes]
    assert [
        ("success", "config"),
        ("success", "fleet"),
        ("success", "prod-eu"),
        ("pending", "prod-eu/metadata"),
        ("success", "staging"),
        ("success", "staging/metadata"),
    ] == [(each[1], each[2]) for each in found if each is not None], notes
