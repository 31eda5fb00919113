"""The patches that break promises on purpose still fit the code, and who notices them is there."""

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant, Patch
from tests.mutants.patches import MUTANTS
from tests.simulation.test_seeds import PLAYED

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "controller"
PATCHES = [patch for mutant in MUTANTS for patch in mutant.patches]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.file)
def test_each_patch_fits_exactly_once(patch: Patch) -> None:
    """
    What it replaces stands in the code once, so that ``python -m tests.mutants`` breaks what it says.
    """
    assert 1 == (PACKAGE / patch.file).read_text(encoding="utf-8").count(patch.old)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_who_notices_is_there(mutant: Mutant) -> None:
    """
    The test that a mutant names stands in its file, and its seed is one of those that are played.
    """
    file, _, name = mutant.test.partition("::")

    assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8")
    assert mutant.seed in PLAYED


def test_every_promise_that_is_built_is_broken_by_some_mutant() -> None:
    """
    No promise is taken on trust.
    """
    built = {
        "one-wave", "healthy-first", "unknown-holds", "in-bounds", "soak-first", "in-window", "legal-hop", "order",
        "finalize-last", "halt-sticks", "record-first", "twice-harmless", "one-writer", "ends",
    }  # fmt: skip

    assert built == {mutant.promise for mutant in MUTANTS}
