"""Every kind of external gate behind one port (``ports.ExternalGates``)."""

from controller.external.prometheus import Prometheus
from controller.external.webhook import Webhooks
from controller.model.declaration import ExternalGate, PrometheusGate
from controller.model.observation import GateReading
from controller.ports import GateQuestion


class OutsideGates:
    """Asks each gate of the system that it is declared for."""

    def __init__(self, prometheus: Prometheus, webhooks: Webhooks) -> None:
        self._prometheus = prometheus
        self._webhooks = webhooks

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Return what the gate's system answers; no usable answer is a reading too."""
        if isinstance(gate, PrometheusGate):
            return self._prometheus.ask(gate)
        return self._webhooks.ask(gate, question)
