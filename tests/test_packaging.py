"""What the wheel holds is enough: laid out as it would be installed, the program works away from its checkout.

The layout is made from the lists in ``pyproject.toml``, without the build back end, which would have to be fetched; the
real wheel is built, installed into a clean environment and tried by ``.ci/run``.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from controller import __version__
from tests.system.daemons import environment

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for modules with exactly the files that the lists name."""
    target = tmp_path_factory.mktemp("installed")
    lists = PROJECT["tool"]["setuptools"]
    for package in lists["packages"]:
        into = target / package.replace(".", "/")
        into.mkdir(parents=True, exist_ok=True)
        for pattern in ("*.py", *lists["package-data"].get(package, ())):
            for file in folder_of(package, lists["package-dir"]).glob(pattern):
                copy = into / file.relative_to(folder_of(package, lists["package-dir"]))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
    return target


def folder_of(package: str, folders: dict[str, str]) -> Path:
    """Return where a package's files stand in the checkout."""
    name, rest = package, ""
    while name not in folders:
        name, _, last = name.rpartition(".")
        rest = f"{last}/{rest}"
    return ROOT / folders[name] / rest


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run what the script ``wavefleet`` would, in ``folder``, and return what it printed."""
    module, _, function = PROJECT["project"]["scripts"]["wavefleet"].partition(":")
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from {module} import {function}; {function}()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment({}) | {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_the_installed_program_validates_and_plans(installed: Path, tmp_path: Path) -> None:
    """
    Schemas and the catalog of releases are found where they were installed.
    """
    shutil.copytree(ROOT / "fleet-example", tmp_path / "fleet")

    assert "fleet: valid\n" == run(installed, tmp_path, "validate", "fleet")
    assert "all 12 clusters on target" in run(installed, tmp_path, "plan", "--path", "fleet")


def test_the_installed_program_has_the_example_for_its_demo(installed: Path, tmp_path: Path) -> None:
    """
    ``demo`` finds the files of the example fleet inside the package.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "from controller.cli.playground import example_files\nprint('\\n'.join(sorted(example_files())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX, check=True
    )

    here = sorted(str(path.relative_to(ROOT / "fleet-example")) for path in (ROOT / "fleet-example").rglob("*.yaml"))
    assert here == done.stdout.split()


def test_the_installed_program_tells_the_version_of_the_project(installed: Path, tmp_path: Path) -> None:
    """
    One number, in the package and in the project.
    """
    assert PROJECT["project"]["version"] == __version__
    assert f"wavefleet {__version__}\n" == run(installed, tmp_path, "--version")


def test_nothing_is_installed_outside_our_package(installed: Path) -> None:
    """
    A top-level ``schemas`` or ``tests`` would collide with other people's.
    """
    assert ["controller"] == [path.name for path in installed.iterdir()]
