"""External gates as settings describe them, and what ``wavefleet check`` finds of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.external.prometheus import UNSET
from controller.external.webhook import UNSIGNED
from controller.model.declaration import Declaration, ExternalGate
from controller.model.observation import GateReading
from controller.settings import Settings, load_settings
from controller.wiring.gates import check_gates, external_gates
from tests.builders import NOON
from tests.builders_core import a_declaration, a_group
from tests.external.builders import a_query, a_question, a_webhook, yes
from tests.fakes.gate_servers import SECRET, TOKEN, FakePrometheus, FakeWebhook

SECRETS = {"WAVEFLEET_PROMETHEUS_TOKEN": TOKEN, "WAVEFLEET_WEBHOOK_SECRET": SECRET}


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    """A Prometheus behind a login."""
    with FakePrometheus(token=TOKEN) as server:
        yield server


def settings(**given: str) -> Settings:
    """Settings with every secret of gates."""
    return load_settings({"ledger": "/nowhere/ledger.db", **given}, SECRETS)


def bare() -> Settings:
    """Settings that say nothing of gates."""
    return load_settings({"ledger": "/nowhere/ledger.db"}, {})


def declared(*gates: ExternalGate) -> Declaration:
    """A group with these gates."""
    return a_declaration(replace(a_group(), gates=gates))


def test_every_kind_of_gate_is_asked_as_the_settings_say(prometheus: FakePrometheus) -> None:
    """
    Prometheus at its URL with its token, a webhook with the secret.
    """
    gates = external_gates(settings(prometheus_url=prometheus.origin))

    assert yes("Prometheus answered 0.12, which is below 0.25") == gates.ask(a_query(), a_question())
    with FakeWebhook(NOON) as webhook:
        assert gates.ask(a_webhook(webhook.origin), a_question()).passed
        assert [] == webhook.refusals


def test_without_settings_every_gate_holds_and_says_what_to_set() -> None:
    """
    Safety: a gate that nobody set up does not pass.
    """
    gates = external_gates(bare())

    assert GateReading(None, UNSET) == gates.ask(a_query(), a_question())
    assert GateReading(None, UNSIGNED) == gates.ask(a_webhook("https://hooks.example/"), a_question())


def test_the_time_limit_is_the_setting_s(prometheus: FakePrometheus) -> None:
    """
    A second is the least.
    """
    prometheus.hang()
    gates = external_gates(settings(prometheus_url=prometheus.origin, gate_timeout="1s"))

    assert gates.ask(a_query(), a_question()).detail.endswith("did not answer within 1 s")


def test_a_check_tries_prometheus_where_it_is_set_or_needed(prometheus: FakePrometheus) -> None:
    """
    With the token's rights; where no gate needs it and nobody set it, nothing is said.
    """
    with_url = settings(prometheus_url=prometheus.origin)

    assert [("prometheus", yes(f"{prometheus.origin}, answers queries"))] == list(check_gates(with_url, None))
    assert [("prometheus", GateReading(None, UNSET))] == list(check_gates(bare(), declared(a_query())))
    assert [] == list(check_gates(bare(), declared()))
    assert [] == list(check_gates(bare(), None))
    prometheus.token = "another"
    (_, reading), *rest = check_gates(with_url, declared(a_query()))
    assert [] == rest
    assert "401 Unauthorized" in reading.detail


def test_a_check_asks_no_webhook_and_looks_for_its_secret() -> None:
    """
    A question would be taken for a start, so only what it needs is looked at.
    """
    with FakeWebhook(NOON) as webhook:
        declaration = declared(a_webhook(webhook.origin))

        assert [("webhook", GateReading(None, UNSIGNED))] == list(check_gates(bare(), declaration))
        signed = yes("questions are signed; no webhook was asked")
        assert [("webhook", signed)] == list(check_gates(settings(), declaration))
        assert [] == webhook.calls


def test_no_secret_is_in_what_is_said(prometheus: FakePrometheus) -> None:
    """
    Neither in an answer nor in the settings' own words.
    """
    chosen = settings(prometheus_url=prometheus.origin)
    said = [reading.detail for _, reading in check_gates(chosen, declared(a_query(), a_webhook("https://h.example/")))]

    assert all(TOKEN not in words and SECRET not in words for words in (*said, repr(chosen)))
    assert {TOKEN, SECRET} <= set(chosen.secrets())
