"""Breaks each promise in a copy of the package and runs the quick tests on it: ``python -m tests.mutants [PROMISE]``.

Several nets are tried for each mutant: the core's own tests, properties with the shortest courses, the runtime's
tests, the stories, and the simulation's seeds; before that they must hold on a copy that nobody broke. Prints the
first test of each net that fails; exit code 1 where a mutant slips through all of them, 2 where a net has a hole.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutants.patches import MUTANTS, Patch

ROOT = Path(__file__).resolve().parent.parent.parent
NETS = {
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
    "simulation": ("tests/simulation/test_seeds.py", "-k", "whatever"),
}
"""What pytest is asked to run, by the net's name."""
LIMIT_SECONDS = 600.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def copy_of_the_package(folder: Path) -> None:
    """Copy what the tests need into ``folder``."""
    ignored = shutil.ignore_patterns("__pycache__", "OWNED.md")
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


def first_failure(folder: Path, arguments: Sequence[str]) -> str | None:
    """Run one net in ``folder``; return the first test that fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    found = _FAILED.search(ended.stdout)
    return found[1] if found else None if ended.returncode == 0 else f"exit code {ended.returncode}"


def caught_by(patches: Sequence[Patch], nets: Sequence[str]) -> Mapping[str, str | None]:
    """Return the first failure of each net on a copy with ``patches``; None where a net notices nothing."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        copy_of_the_package(folder)
        break_promise(folder, patches)
        return {net: first_failure(folder, NETS[net]) for net in nets}


def main(promises: Sequence[str]) -> int:
    """Try the mutants of ``promises``, all of them where none is named."""
    unbroken = {net: test for net, test in caught_by((), tuple(NETS)).items() if test is not None}
    if unbroken:
        sys.stdout.write(f"the nets do not hold on the package as it is: {unbroken}\n")
        return 2
    escaped = 0
    for mutant in MUTANTS:
        if promises and mutant.promise not in promises:
            continue
        caught = caught_by(mutant.patches, tuple(NETS))
        escaped += not any(caught.values())
        sys.stdout.write(f"{mutant.promise}: {mutant.what}\n")
        for net, test in caught.items():
            sys.stdout.write(f"    {net:12} {test or 'not noticed'}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{escaped} mutants slipped through\n")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
