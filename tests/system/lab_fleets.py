"""A lab as a declared fleet: somebody merges, the daemon works, and the command line tells what came of it."""

from pathlib import Path
from typing import Any

from tests.real.repositories import FleetRepository
from tests.system.daemons import DaemonProcess, read_json
from tests.system.lab_commands import lab_status

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {{name: acme}}
spec:
  sources: [{{name: lab, type: lab, directory: "{directory}"}}]
"""
GROUP = """\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: real}}
spec:
  kafkaVersion: {release}
  clusters: {{names: [{names}]}}
  health: {{samples: 2}}
{rules}
"""
SECONDS_MAX = 420.0
"""What anything may take that a test waits for, on a busy machine."""


class LabFleet:
    """The clusters ``names`` of the lab in ``directory``, in one group; everything else is in ``folder``."""

    def __init__(self, directory: Path, folder: Path, names: tuple[str, ...]) -> None:
        self.directory = directory
        self._names = names
        self._repository = FleetRepository(folder / "remote")
        self._ledger = folder / "ledger.db"
        self._settings: dict[str, object] = {
            "repository": self._repository.url,
            "ledger": self._ledger,
            "interval": "1s",
            "listen": "off",
        }
        self.daemon = DaemonProcess(self._settings, folder / "daemon.log")

    def merge(self, release: str, rules: str) -> None:
        """Let the group's target be ``release``, by these rules, which are indented by two spaces."""
        group = GROUP.format(release=release, names=", ".join(self._names), rules=rules)
        self._repository.publish(
            {"fleet.yaml": FLEET.format(directory=self.directory), "groups/real.yaml": group}, f"Kafka {release}"
        )

    def read(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """What ``wavefleet ARGUMENTS -o json`` prints."""
        return read_json(self._settings, *arguments)

    def group(self, name: str = "real") -> dict[str, Any]:
        """What ``wavefleet status`` says of the group, or of its finalization; nothing before there is anything."""
        groups = self.read("status")["groups"] if self._ledger.exists() else ()
        nothing: dict[str, Any] = {"sentence": "", "holds": []}
        return next((dict(each) for each in groups if each["name"] == name), nothing)

    def await_sentence(self, words: str, name: str = "real") -> None:
        """Wait until ``wavefleet status`` says these words of the group, and nothing after them."""

        def is_said() -> bool:
            return str(self.group(name)["sentence"]).endswith(words)

        self.daemon.await_until(is_said, f"{name}: {words}", SECONDS_MAX)

    def await_hold(self, reason: str, words: str = "") -> dict[str, Any]:
        """Wait until the group holds for ``reason`` with these words, and return that hold."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.group()["holds"] if each["reason"] == reason and words in each["detail"]]

        self.daemon.await_until(lambda: bool(found()), f"{reason}: {words}", SECONDS_MAX)
        return found()[0]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """What the ledger has of one kind, oldest first."""
        found = self.read("history", "real", "--limit", "10000")
        return [entry for entry in found if entry["entry"] == kind]

    def started(self) -> list[str]:
        """Short names of the clusters that were started, in order."""
        return [entry["cluster"].rpartition("/")[2] for entry in self.entries("ClusterStarted")]

    def releases(self, *names: str) -> set[str]:
        """What any broker of these clusters runs, or of the whole fleet."""
        return {
            broker["release"] for name in names or self._names for broker in lab_status(self.directory, name)["brokers"]
        }

    def levels(self) -> set[int]:
        """The finalized levels of the fleet."""
        return {lab_status(self.directory, name)["metadataLevel"] for name in self._names}
