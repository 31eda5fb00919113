"""The stories of this folder: each ``.txt`` is run command by command and must read as it is written.

``pytest tests/scenarios --rewrite`` writes what came of them now into the files; the diff is then for a person to read.
"""

import inspect
from pathlib import Path

import pytest

from tests.scenarios.stories import Block, parse, play, render
from tests.scenarios.world import World

HERE = Path(__file__).parent
STORIES = sorted(HERE.glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_the_story_comes_out_as_written(story: Path, *, rewrite: bool) -> None:
    """
    Every command of the story has the outcome that stands below it.
    """
    written = story.read_text(encoding="utf-8")
    told = render(play(parse(written), World().run))
    if rewrite:
        story.write_text(told, encoding="utf-8")
    else:
        assert written == told


def test_a_story_is_read_back_as_it_was_written() -> None:
    """
    Comments, the lines of a command and its outcome survive.
    """
    block = Block(("# why", ""), "group prod 4.3.1", "strategy:\n  failureBudget: 1", "merged c1\nas c1")
    text = "# why\n\ngroup prod 4.3.1\n  strategy:\n    failureBudget: 1\n----\nmerged c1\nas c1\n"

    assert text == render([block])
    assert (block,) == parse(text)


def test_every_command_is_documented() -> None:
    """
    README.md of this folder has a row for each word that a story may begin a command with, and no other.
    """
    rows = [line for line in (HERE / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    words = {name.removeprefix("do_") for name, _ in inspect.getmembers(World) if name.startswith("do_")}

    assert words == {row.split("`")[1].split()[0] for row in rows}
