"""The page on health names each check as the code has it."""

from controller.model.health import CHECKS
from tests.test_docs import table_of


def test_every_check_is_documented() -> None:
    """
    The table has exactly the checks of the code, in its order, with what each does by default.
    """
    rows = table_of("health.md", "Check")

    assert [(f"`{name}`", str(severity)) for name, severity in CHECKS.items()] == [(row[0], row[2]) for row in rows]
    assert all(row[1] for row in rows)
