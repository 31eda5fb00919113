"""External gates: what is asked, with which bounds, and what is not told of an address."""

from pathlib import Path

import pytest

from controller.model.declaration import PrometheusGate, WebhookGate
from controller.model.places import Place
from tests.builders_repository import FleetFiles

GATES = """\
  gates:
    - prometheus: {name: p99, query: "histogram_quantile(0.99, x)", below: 0.25, above: -1, samples: 5}
    - prometheus:
        name: lag
        query: |
          sum(lag)
            by (group)
        below: 10
    - {webhook: {name: calendar, url: "https://changes.example.com/may-start?team=kafka"}}
    - {webhook: {name: local, url: "http://[::1]:8080/gate"}}
"""


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_gates_ask_outside_systems(files: FleetFiles) -> None:
    """
    In their order, with their bounds as numbers and the documented samples; a query may have several lines.
    """

    def here(line: int) -> Place:
        return Place("groups/prod.yaml", line)

    assert (
        PrometheusGate("p99", "histogram_quantile(0.99, x)", 0.25, -1.0, 5, here(8)),
        PrometheusGate("lag", "sum(lag)\n  by (group)", 10.0, None, 3, here(9)),
        WebhookGate("calendar", "https://changes.example.com/may-start?team=kafka", here(15)),
        WebhookGate("local", "http://[::1]:8080/gate", here(16)),
    ) == files.group(GATES).loaded().gates


def test_a_secret_in_the_address_of_a_gate_is_not_repeated(files: FleetFiles) -> None:
    """
    What is told of a URL with a password goes to commit statuses and logs, so the password is not in it.
    """
    told = files.group('  gates: [{webhook: {name: a, url: "http://ana:hunter2@a.example.com/x"}}]\n').told()

    assert 2 == len(told)
    assert not any("hunter2" in line for line in told)
