"""The daemon as a process over a real Git remote and a simulated fleet whose upgrades take a second.

Everything a test asks, it asks as others would: the branch's notes, the ledger, HTTP, the command line. Nothing waits
for a fixed time; conditions are awaited, and every interval is short, so that a rollout takes a few seconds.
"""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from controller.history.entries import ClusterStarted, Entry
from controller.ledger.opening import open_ledger
from tests.real.repositories import FleetRepository, run_git
from tests.system.daemons import DaemonProcess, run_cli

OLD, NEW = "4.2.1", "4.3.1"
GROUP = "groups/web.yaml"
CLUSTERS = ("sim/web-1", "sim/web-2", "sim/web-3")
NOTES = "refs/notes/wavefleet"
AWAITED_SECONDS = 60.0
INTERVAL_SECONDS = 0.2

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {name: acme}
spec:
  sources:
    - {name: sim, type: simulated, inventory: simulation/clusters.yaml}
"""
INVENTORY = f"""\
apiVersion: wavefleet.io/v1
kind: Inventory
spec:
  defaults: {{brokers: 1, perBroker: 400ms, settle: 100ms}}
  clusters:
    - {{generate: {{count: 3, name: "web-{{n}}", labels: {{group: web}}}}, kafkaVersion: {OLD}}}
"""


def group(release: str = OLD, *, soak: str = "600ms", more: str = "") -> str:
    """Return the group ``web``: a canary, then the rest, each of which soaks for ``soak``."""
    return f"""\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: web}}
spec:
  kafkaVersion: {release}
  metadataVersion: hold
  clusters: {{selector: {{matchLabels: {{group: web}}}}}}
  strategy:
    waves:
      - {{name: canary, size: 1, soak: {soak}}}
      - {{name: rest, size: rest, soak: {soak}}}
  health: {{samples: 1}}
{more}"""


class World:
    """A fleet repository, and the settings of daemons over it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.repository = FleetRepository(folder / "remote")
        self.first = self.repository.publish(
            {"fleet.yaml": FLEET, "simulation/clusters.yaml": INVENTORY, GROUP: group()}
        )
        self.ledger = folder / "state" / "ledger.db"
        self.settings: dict[str, object] = {
            "repository": self.repository.url,
            "ledger": self.ledger,
            "interval": f"{int(INTERVAL_SECONDS * 1000)}ms",
            "jitter": "0s",
            "stale_after": "1s",
            "listen": "127.0.0.1:0",
            **settings,
        }

    def daemon(self, name: str = "daemon", **settings: object) -> "Daemon":
        """Return a daemon that is not started yet."""
        return Daemon({**self.settings, **settings}, self.folder / f"{name}.log")

    def bump(self, release: str = NEW) -> str:
        """Merge another release; the revision."""
        return self.repository.publish({GROUP: group(release)}, f"Upgrade to {release}")

    def notes(self, revision: str) -> dict[str, str]:
        """Return a commit's statuses as clients of the remote see them: ``STATE: DESCRIPTION`` by context."""
        told = {}
        for line in self.repository.notes(NOTES, revision).splitlines():
            state, _, rest = line.partition(" ")
            context, _, description = rest.partition(": ")
            told[context] = f"{state}: {description}"
        return told

    def has(self, revision: str, status: str, context: str = "wavefleet/web") -> Callable[[], bool]:
        """Return a question: does a commit's status begin with ``status`` now?"""
        return lambda: self.notes(revision).get(context, "").startswith(status)

    def log_with_notes(self) -> str:
        """Return what people see."""
        return run_git(self.repository.bare, "log", "--notes=wavefleet", "--format=%s%n%N", "main")

    def entries(self) -> list[Entry]:
        """Return everything that is recorded, oldest first; nothing where there is no ledger yet."""
        if not self.ledger.exists():
            return []
        with closing(open_ledger(self.ledger, create=False)) as ledger:
            return [each.entry for each in ledger.read()]

    def started(self) -> list[str]:
        """Return the clusters whose start was recorded, in that order."""
        return [entry.cluster for entry in self.entries() if isinstance(entry, ClusterStarted)]

    def has_entry(self, kind: type[Entry], count: int = 1, **values: object) -> Callable[[], bool]:
        """Return a question: are ``count`` entries of this kind recorded, with these values?"""
        return lambda: (
            count
            <= sum(
                isinstance(entry, kind) and all(getattr(entry, name) == value for name, value in values.items())
                for entry in self.entries()
            )
        )

    def status(self) -> dict[str, Any]:
        """Return what ``wavefleet status`` tells of the group."""
        (told,) = json.loads(self.cli("status", "-o", "json"))["groups"]
        return dict(told)

    def cli(self, *arguments: str, code: int = 0) -> str:
        """Run ``wavefleet ARGUMENTS`` beside the daemon, as a person would."""
        return run_cli(self.settings, *arguments, code=code)

    def take_repository_away(self) -> Callable[[], None]:
        """Let the remote vanish; the returned function brings it back."""
        away = self.folder / "away.git"
        self.repository.bare.rename(away)

        def bring_back() -> None:
            away.rename(self.repository.bare)

        return bring_back


class Daemon(DaemonProcess):
    """``wavefleet run`` with its HTTP port."""

    def await_for(self, is_reached: Callable[[], bool], what: str) -> None:
        """Wait until ``is_reached``, within a minute."""
        self.await_until(is_reached, what, AWAITED_SECONDS)

    def ask_to_leave(self) -> None:
        """Send SIGTERM, as a service manager does, and wait for nothing."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Wait until it has left by itself, and return its exit code."""
        assert self._process is not None
        return self._process.wait(AWAITED_SECONDS)

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return what it has logged, or only the lines of one event."""
        logged = [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in logged if event in {"", line.get("event")}]

    def get(self, path: str) -> tuple[int, Any]:
        """Ask over HTTP; status and body, read as JSON where it is that. (0, reason) where nobody answers yet."""
        started = self.lines("web_started")
        if not started:
            return 0, "not started"
        try:
            with urllib.request.urlopen(f"http://{started[-1]['address']}{path}", timeout=10) as answer:
                return answer.status, _read(answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error.headers, error.read())
        except OSError as error:
            return 0, str(error)

    def is_ready(self) -> bool:
        """Tell whether ``/readyz`` says so."""
        return 200 == self.get("/readyz")[0]

    def not_ready_for(self, reason: str) -> Callable[[], bool]:
        """Return a question: is ``/readyz`` 503 with a reason that contains this?"""

        def asked() -> bool:
            status, body = self.get("/readyz")
            return 503 == status and reason in body["reason"]

        return asked

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample of ``/metrics``; 0 where it is not there."""
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0


def _read(headers: Message, body: bytes) -> Any:  # noqa: ANN401 - whatever was answered
    return json.loads(body) if headers.get_content_type() == "application/json" else body.decode()
