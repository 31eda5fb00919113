"""Breaks each promise in a copy of the package and sees that it is noticed: ``python -m tests.mutants [PROMISE ...]``.

Each mutant names a test and a seed of the simulation, and both must fail on it; before that all of them must pass on a
copy that nobody broke. ``--search`` tries whole suites instead and prints the first test of each that fails: a new
mutant finds the names to give there. Exit code 1 where a mutant slips through, 2 where the tests fail on what is.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutant import Mutant, Patch
from tests.mutants.patches import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = "tests/simulation/test_seeds.py"
NETS: Mapping[str, tuple[str, ...]] = {
    "core": ("tests/core",),
    "properties": ("tests/properties", "-m", "not system"),
    "runtime": (
        "tests/runtime/test_crash.py",
        "tests/runtime/test_cycle.py",
        "tests/runtime/test_cycle_failures.py",
        "tests/runtime/test_apply.py",
        "-k",
        "not file",  # the same crashes over again on a disk take too long here
    ),
    "stories": ("tests/scenarios",),
    "simulation": (SEEDS, "-k", "whatever"),
}
"""What a search asks pytest to run, by the suite's name."""
LIMIT_SECONDS = 600.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def named(mutant: Mutant) -> tuple[str, str]:
    """Return the two tests that notice a mutant."""
    return mutant.test, f"{SEEDS}::test_whatever_happens_it_stays_safe_and_comes_to_an_end[{mutant.seed}]"


def copy_of_the_package(folder: Path) -> None:
    """Copy what the tests need into ``folder``."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("controller", "tests", "schemas", "docs", "fleet-example"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def break_promise(folder: Path, patches: Sequence[Patch]) -> None:
    """Apply ``patches``; each must fit exactly once."""
    for patch in patches:
        file = folder / "controller" / patch.file
        text = file.read_text(encoding="utf-8")
        assert text.count(patch.old) == 1, f"{patch.file}: {text.count(patch.old)} times {patch.old!r}"
        file.write_text(text.replace(patch.old, patch.new), encoding="utf-8")


def failures(folder: Path, arguments: Sequence[str]) -> list[str]:
    """Run pytest in ``folder``; return the tests that fail, or how it ended where it could not run them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    found = _FAILED.findall(ended.stdout)
    assert found or ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return found


def failing_on(patches: Sequence[Patch], *runs: Sequence[str]) -> list[list[str]]:
    """Return what fails in each of ``runs`` on a copy with ``patches``."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        copy_of_the_package(folder)
        break_promise(folder, patches)
        return [failures(folder, run) for run in runs]


def unnoticed(mutant: Mutant) -> list[str]:
    """Return those of a mutant's two tests that pass although it is there."""
    (failed,) = failing_on(mutant.patches, named(mutant))
    return [test for test in named(mutant) if not any(each.startswith(test) for each in failed)]


def expect_noticed(mutants: Sequence[Mutant]) -> int:
    """Try each mutant on its two tests; return how many slip through one of them."""
    escaped = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, passing in zip(mutants, pool.map(unnoticed, mutants), strict=True):
            escaped += bool(passing)
            told = "".join(f"\n    not noticed by {test}" for test in passing)
            sys.stdout.write(f"{mutant.promise}: {mutant.what}{told}\n")
            sys.stdout.flush()
    return escaped


def search(mutants: Sequence[Mutant]) -> int:
    """Try each mutant on every suite; return how many slip through all of them."""
    escaped = 0
    for mutant in mutants:
        found = failing_on(mutant.patches, *(("-x", *net) for net in NETS.values()))
        escaped += not any(found)
        sys.stdout.write(f"{mutant.promise}: {mutant.what}\n")
        for net, tests in zip(NETS, found, strict=True):
            sys.stdout.write(f"    {net:12} {tests[0] if tests else 'not noticed'}\n")
        sys.stdout.flush()
    return escaped


def main(arguments: Sequence[str]) -> int:
    """Try the mutants of the promises that are named, all of them where none is."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Break promises and see it noticed.")
    parser.add_argument("promises", nargs="*", metavar="PROMISE")
    parser.add_argument("--search", action="store_true", help="try whole suites, and print what fails first in each")
    asked = parser.parse_args(arguments)
    mutants = [mutant for mutant in MUTANTS if not asked.promises or mutant.promise in asked.promises]
    (broken,) = failing_on((), sorted({test for mutant in mutants for test in named(mutant)}))
    if broken:
        sys.stdout.write(f"these do not pass on the package as it is: {', '.join(broken)}\n")
        return 2
    escaped = search(mutants) if asked.search else expect_noticed(mutants)
    sys.stdout.write(f"{escaped} of {len(mutants)} mutants slipped through\n")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
