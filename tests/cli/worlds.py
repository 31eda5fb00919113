"""A fleet repository on a real Git remote, a ledger and a simulated fleet, as somebody at a command line has them.

Commands run inside this process, which is quick; what only a process of its own shows is in ``test_process.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from controller.cli.main import app
from controller.settings import SETTINGS, SETTINGS_FILE_ENV
from tests.builders_repository import group_text
from tests.real.repositories import Content, FleetRepository

SCHEMAS = Path(__file__).parents[2] / "schemas"
OLD, NEW = "4.2.1", "4.3.1"
AT = "2026-03-02T09:00Z"

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {name: acme}
spec:
  sources:
    - {name: try, type: simulated, inventory: simulation/clusters.yaml}
"""
INVENTORY = f"""\
apiVersion: wavefleet.io/v1
kind: Inventory
spec:
  clusters:
    - {{generate: {{count: 3, name: "staging-{{n}}", labels: {{group: staging}}}}, kafkaVersion: {OLD}}}
    - {{generate: {{count: 4, name: "prod-{{n}}", labels: {{group: prod}}}}, kafkaVersion: {OLD}}}
    - {{name: stray-1, labels: {{}}, kafkaVersion: {OLD}}}
"""
STAGING, PROD = "groups/staging.yaml", "groups/prod.yaml"
VALID: Mapping[str, str] = {
    "fleet.yaml": FLEET,
    "simulation/clusters.yaml": INVENTORY,
    STAGING: group_text("staging", version=OLD),
    PROD: group_text("prod", "  after: [staging]\n", version=OLD),
}
INVALID = "spec:\n  kafkaVersion: 4.3.1\n"
"""A file of groups that can never be one."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Desk:
    """Somebody at a command line: ``desk.run("plan")``. The repository is valid, and its fleet is on target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = FleetRepository(folder / "remote")
        self.repository.publish(VALID)
        self.settings: dict[str, str | None] = {
            "repository": self.repository.url,
            "ledger": str(folder / "state" / "ledger.db"),
            "log_level": "error",
        }

    def bump(self, *paths: str) -> str:
        """Merge the new release into some groups; the revision."""
        return self.repository.publish({path: VALID[path].replace(OLD, NEW) for path in paths}, f"Upgrade to {NEW}")

    def publish(self, files: Mapping[str, Content]) -> str:
        """Merge whatever files; the revision."""
        return self.repository.publish(files)

    def run(self, *arguments: str, code: int = 0) -> Done:
        """Run ``wavefleet ARGUMENTS``; its exit code must be ``code``."""
        return run(*arguments, code=code, settings=self.settings)

    def read(self, schema: str, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever the command prints
        """Run ``wavefleet ARGUMENTS -o json`` and return what it printed, which is as its schema says."""
        printed = self.run(*arguments, "-o", "json", code=code).json
        check_schema(schema, printed)
        return printed


def run(*arguments: str, code: int = 0, settings: Mapping[str, str | None] | None = None) -> Done:
    """Run ``wavefleet ARGUMENTS`` with exactly these settings in the environment."""
    names = [SETTINGS_FILE_ENV, *(it.env for it in SETTINGS), *(it.file_env for it in SETTINGS if it.file_env)]
    environment: dict[str, str | None] = dict.fromkeys(names)
    environment |= {f"WAVEFLEET_{name.upper()}": text for name, text in (settings or {}).items()}
    result = CliRunner().invoke(app, arguments, prog_name="wavefleet", env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert code == result.exit_code, f"{arguments}: exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
    return Done(result.exit_code, result.stdout, result.stderr)


def check_schema(name: str, printed: object) -> None:
    """Fail with the first difference where ``printed`` is not as ``schemas/NAME.schema.json`` says."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(printed)
