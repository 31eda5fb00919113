"""Builders of external gates and of what they are asked, so that a test names only what it is about."""

from datetime import datetime

from controller.history.records import RolloutKind
from controller.model.declaration import PrometheusGate, WebhookGate
from controller.model.observation import GateReading
from controller.ports import GateQuestion
from controller.versions import KafkaVersion
from tests.builders import NOON, place

TARGET = KafkaVersion.parse("4.3.1")
PATIENT_SECONDS = 20.0
"""The limit of questions that are expected to be answered, on a busy machine too."""
HASTY_SECONDS = 0.5
"""The limit of questions that are expected to run into it."""


def a_query(query: str = "up", *, below: float | None = 0.25, above: float | None = None) -> PrometheusGate:
    """A Prometheus gate that holds from 0.25 on."""
    return PrometheusGate("p99-produce", query, below, above, 3, place())


def a_webhook(url: str, name: str = "change-calendar") -> WebhookGate:
    """A webhook gate."""
    return WebhookGate(name, url, place())


def yes(detail: str) -> GateReading:
    """What a gate reads that passed."""
    return GateReading(passed=True, detail=detail)


def no(detail: str) -> GateReading:
    """What a gate reads that did not."""
    return GateReading(passed=False, detail=detail)


def a_question(group: str = "prod", at: datetime = NOON) -> GateQuestion:
    """May ``prod`` go on to its release?"""
    return GateQuestion("acme", group, TARGET, RolloutKind.SOFTWARE, at)
