"""How the brokers of a live cluster are reached: by its source's listeners, and by credentials that only we have."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from controller.brokers.access import Access, Login, Reach, Sasl, Tls
from controller.errors import ObservationError
from controller.fleets.kafka_health import KafkaHealth
from controller.model.declaration import Declaration, Listener
from controller.model.observation import ObservedCluster
from controller.ports import BrokerHealth
from controller.settings import Settings

PASSWORD_BYTES_MAX = 10_000

_PLAIN = Listener("*", (), tls=False, sasl=None, credentials=None)
"""Of a source that declares no listener: the addresses that it tells, and no proof of anybody."""


def broker_health(settings: Settings) -> Callable[[Declaration], BrokerHealth]:
    """Return what makes, of a declaration, who asks the brokers of its clusters."""

    def open_health(declaration: Declaration) -> BrokerHealth:
        levels = {level.level: level for level in declaration.catalog.metadata_versions.values()}
        listeners = {source.name: source.listeners for source in declaration.sources}
        reach = partial(reach_of, settings, listeners)
        return KafkaHealth(reach, levels, settings.source_timeout.total_seconds() / 2)

    return open_health


def reach_of(settings: Settings, listeners: dict[str, tuple[Listener, ...]], cluster: ObservedCluster) -> Reach:
    """Return where the cluster's brokers are, and how to speak with them.

    Raises ObservationError where that is not known.
    """
    source, _, path = cluster.name.partition("/")
    declared = listeners.get(source, ())
    listener = next((each for each in declared if fnmatchcase(path, each.clusters)), None if declared else _PLAIN)
    namespace, _, name = path.rpartition("/")
    told = cluster.endpoints.bootstrap if cluster.endpoints is not None else ()
    filled = (each.replace("{name}", name).replace("{namespace}", namespace) for each in (listener or _PLAIN).bootstrap)
    bootstrap = tuple(filled) or told
    if listener is None or not bootstrap:
        raise ObservationError(
            f"where its brokers listen is not known: give the source {source} a listener with bootstrap for {path}, or"
            " let its group say health: {brokers: off}"
        )
    return Reach(bootstrap, _access(listener, settings))


def _access(listener: Listener, settings: Settings) -> Access:
    folder = _folder(listener, settings)
    tls = _tls(folder) if listener.tls else None
    return Access(tls, None if listener.sasl is None else _login(Sasl(listener.sasl), folder, settings))


def _folder(listener: Listener, settings: Settings) -> Path | None:
    if listener.credentials is None:
        return None
    if settings.kafka_credentials is None:
        raise ObservationError(
            f"credentials {listener.credentials} of its listener: set WAVEFLEET_KAFKA_CREDENTIALS to the folder that"
            " they are in"
        )
    folder = settings.kafka_credentials / listener.credentials
    if not _looked_at(folder, Path.is_dir):
        raise ObservationError(f"credentials {listener.credentials} of its listener: found no folder {folder}")
    return folder


def _tls(folder: Path | None) -> Tls:
    found = {name: _found(folder, name) for name in ("ca.crt", "user.crt", "user.key")}
    return Tls(authorities=found["ca.crt"], certificate=found["user.crt"], key=found["user.key"])


def _login(mechanism: Sasl, folder: Path | None, settings: Settings) -> Login:
    named = _found(folder, "username")
    username = settings.kafka_username if named is None else _text(named)
    if username is None:
        where = "WAVEFLEET_KAFKA_USERNAME" if folder is None else f"{folder}/username, or WAVEFLEET_KAFKA_USERNAME"
        raise ObservationError(f"its brokers ask for a user name: found none in {where}")
    return Login(mechanism, username, partial(_password, folder, settings))


def _password(folder: Path | None, settings: Settings) -> str:
    kept = _found(folder, "password")
    if kept is not None:
        return _text(kept)
    if settings.kafka_password is None:
        where = "WAVEFLEET_KAFKA_PASSWORD" if folder is None else f"{folder}/password, or WAVEFLEET_KAFKA_PASSWORD"
        raise ObservationError(f"its brokers ask for a password: found none in {where}")
    return settings.kafka_password.reveal()


def _found(folder: Path | None, name: str) -> Path | None:
    path = None if folder is None else folder / name
    return path if path is not None and _looked_at(path, Path.exists) else None


def _looked_at(path: Path, question: Callable[[Path], bool]) -> bool:
    """Return the system's answer about ``path``; ObservationError where it gives none, as without a right to look."""
    try:
        return question(path)
    except OSError as error:
        raise ObservationError(f"{path}: cannot be read: {error.strerror}") from error


def _text(path: Path) -> str:
    """Return the one line that a file of credentials holds."""
    try:
        with path.open("rb") as file:
            content = file.read(PASSWORD_BYTES_MAX + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ObservationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ObservationError(f"{path}: found no text, expected one line in UTF-8") from None
    if not text or not text.isprintable() or len(content) > PASSWORD_BYTES_MAX:
        raise ObservationError(f"{path}: found no single line of text, expected one")
    return text
