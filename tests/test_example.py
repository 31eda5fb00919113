"""The example fleet and the two READMEs: what they show is what the program prints."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.worlds import run
from tests.system.daemons import environment

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "fleet-example"
README = EXAMPLE / "README.md"
OLD, NEW = "4.1.2", "4.3.1"
PROMPT = "    $ wavefleet "
SHOWN_WITHOUT_OUTPUT = ("demo", "run")
"""Their sections show no output; the demo has a test of its own."""


def shown(section: str) -> Iterator[tuple[list[str], str]]:
    """Yield the commands of the tutorial's section with this number, each with the output shown below it."""
    text = README.read_text(encoding="utf-8").partition(f"\n## {section} ")[2].partition("\n## ")[0]
    for block in re.findall(r"(?:^    .*\n?)+", text, flags=re.MULTILINE):
        first, *output = block.splitlines()
        assert first.startswith(PROMPT), block
        yield first.removeprefix(PROMPT).split(), "".join(f"{line.removeprefix('    ')}\n" for line in output)


def as_it_is(_folder: Path) -> None:
    """Change nothing."""


def mistaken(folder: Path) -> None:
    """Write 4.10 into staging."""
    rewrite(folder / "groups" / "staging.yaml", f"kafkaVersion: {OLD}", "kafkaVersion: 4.10")


def bumped(folder: Path) -> None:
    """Write the new release into both groups."""
    for path in sorted((folder / "groups").glob("*.yaml")):
        rewrite(path, f"kafkaVersion: {OLD}", f"kafkaVersion: {NEW}")


def rewrite(path: Path, old: str, new: str) -> None:
    """Replace a text that is there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "change", "commands"),
    [("1", as_it_is, 1), ("2", as_it_is, 1), ("3", mistaken, 1), ("4", bumped, 1), ("5", bumped, 1)],
)
def test_the_tutorial_prints_what_it_shows(
    tmp_path: Path, section: str, change: Callable[[Path], None], commands: int
) -> None:
    """
    Each command of a section, on a copy of the example with that section's edit, word for word.
    """
    shutil.copytree(EXAMPLE, tmp_path / "fleet-example")
    change(tmp_path / "fleet-example")
    told = list(shown(section))

    assert commands == len(told)
    for arguments, output in told:
        assert output == printed(tmp_path, arguments)


def printed(folder: Path, arguments: list[str]) -> str:
    """Run ``wavefleet ARGUMENTS`` in a folder and return what it printed; it may find fault, and not fail."""
    done = subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        cwd=folder,
        env=environment({"ledger": folder / "ledger.db"}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("", True) == (done.stderr, done.returncode in {0, 1}), done
    return done.stdout


def test_the_tutorial_shows_nothing_that_is_not_tested() -> None:
    """
    The sections above have all commands that print something; the others are there.
    """
    last = [arguments for arguments, _ in shown("6")]

    assert list(SHOWN_WITHOUT_OUTPUT) == [arguments[0] for arguments in last]
    assert 5 + len(last) == README.read_text(encoding="utf-8").count("$ wavefleet ")


@pytest.mark.parametrize("path", sorted(EXAMPLE.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_file_names_its_schema_for_editors(path: Path) -> None:
    """
    The first line leads to a schema that is there.
    """
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="

    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve().is_file()


@pytest.mark.parametrize("document", ["README.md", "fleet-example/README.md", "CONTRIBUTING.md"])
def test_every_command_of_the_documents_is_there(document: str) -> None:
    """
    With every option that is shown.
    """
    text = (ROOT / document).read_text(encoding="utf-8")
    for command, rest in re.findall(r"wavefleet ([a-z]+)((?:[ ][^`\n#|]*)?)", code_of(text)):
        listed = run(command, "--help").out
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
            assert option in listed, (document, command, option)


def code_of(text: str) -> str:
    """Return what a document sets as code: in backticks, or indented."""
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*indented, *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_of_the_documents_is_there(document: str) -> None:
    """
    ``make TARGET`` in a document is a target of the Makefile.
    """
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", code_of((ROOT / document).read_text(encoding="utf-8"))))

    assert named
    assert set() == named - targets
