"""External gates from settings, and their trial for ``wavefleet check``."""

from collections.abc import Iterator

from controller.external.gates import OutsideGates
from controller.external.prometheus import Prometheus
from controller.external.webhook import Webhooks
from controller.model.declaration import Declaration, PrometheusGate, WebhookGate
from controller.model.observation import GateReading
from controller.settings import Secret, Settings


def external_gates(settings: Settings) -> OutsideGates:
    """Return what asks every kind of external gate; one whose system is not set says so when it is asked."""
    return OutsideGates(_prometheus(settings), _webhooks(settings))


def check_gates(settings: Settings, declaration: Declaration | None) -> Iterator[tuple[str, GateReading]]:
    """Try what is set, and what the declared gates need; yields the system's name and what came of it.

    No declared gate is asked, since a webhook could take that for a start.
    """
    groups = () if declaration is None else declaration.groups
    declared = {type(gate) for group in groups for gate in group.gates}
    if settings.prometheus_url is not None or PrometheusGate in declared:
        yield "prometheus", _prometheus(settings).check()
    if WebhookGate in declared:
        yield "webhook", _webhooks(settings).check()


def _prometheus(settings: Settings) -> Prometheus:
    limit = settings.gate_timeout.total_seconds()
    return Prometheus(settings.prometheus_url, _revealed(settings.prometheus_token), limit_seconds=limit)


def _webhooks(settings: Settings) -> Webhooks:
    return Webhooks(_revealed(settings.webhook_secret), limit_seconds=settings.gate_timeout.total_seconds())


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
