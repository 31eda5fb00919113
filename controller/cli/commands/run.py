"""``wavefleet run``: the daemon."""

from controller.settings import Address, Settings
from controller.signals import on_leave


def run(*, settings: Settings) -> None:
    """Run cycles until told to stop (SIGTERM or Ctrl-C), which ends after the cycle in hand."""
    import structlog

    from controller.web.app import create_app
    from controller.web.server import WebServer
    from controller.wiring.running import Pulse, assemble

    running = assemble(settings)
    on_leave(running.daemon.stop)
    web = None
    try:
        if settings.listen is not None:
            web = WebServer(create_app(Pulse(running)), settings.listen.host, settings.listen.port)
            web.start()
            address = Address(settings.listen.host, web.port)
            structlog.get_logger(__name__).info("web_started", address=str(address))
        running.delivery.start()
        running.daemon.run(running.ledger, running.owner)
    finally:
        if web is not None:
            web.stop()
        running.close()
