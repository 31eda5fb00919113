"""What is not code ships inside the wheel: schemas and the catalog, and every package of ours."""

import tomllib
from pathlib import Path

from controller.repository.schema import KINDS

TOP = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    """
    A package that the list forgets would be missing from the wheel alone.
    """
    found = {".".join(path.parent.relative_to(TOP).parts) for path in (TOP / "controller").rglob("__init__.py")}

    elsewhere = {package for package in SETUPTOOLS["package-dir"] if package != "controller"}
    assert sorted(found | elsewhere) == sorted(SETUPTOOLS["packages"])


def test_schemas_are_a_package_of_the_wheel() -> None:
    """
    They stand at the top of the checkout for editors, and are found by package name once installed.
    """
    assert "schemas" == SETUPTOOLS["package-dir"]["controller.schemas"]
    assert ["*.json"] == SETUPTOOLS["package-data"]["controller.schemas"]
    assert all((TOP / "schemas" / name).is_file() for name in KINDS.values())


def test_every_file_beside_the_code_is_listed() -> None:
    """
    A file that is read at run time must be in the wheel.
    """
    folders = {path.parent for path in (TOP / "controller").rglob("__init__.py")}
    beside = {path for folder in folders for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
    listed = {
        path
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in (TOP / package.replace(".", "/")).glob(pattern)
    }

    assert set() == {str(path.relative_to(TOP)) for path in beside - listed}
