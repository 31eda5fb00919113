"""One broker as files and a command line: its configuration, its formatting, its start.

Everything is cut down to what a lab needs: 150 MB of memory a broker, logs of at most a few megabytes, internal topics
with few partitions. Each node is broker and controller in one, with a fixed list of voters. The numbers were
tried on real brokers; without the small ``dedupe.buffer`` a heap of this size dies at the start.

Where listeners are secure, clients come in over TLS and SCRAM, or a certificate beside it; brokers and controllers
speak plainly among themselves, on loopback ports of their own. The user must be known before the first start, so it is
given to the format tool, in a file that is gone right after.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.errors import LabError
from controller.lab.certificates import keep_secret
from controller.lab.processes import Program, start
from controller.lab.reach import read_secret
from controller.lab.records import BrokerFile, ProcessRecord, broker_folder, write_broker
from controller.lab.releases import Installation, Release
from controller.lab.toolchain import run_bounded
from controller.labfiles import BrokerPlace, ClusterFile, credentials_of

FORMAT_SECONDS_MAX = 60.0
"""Seconds as seen: 1.2."""
LOG_FILES_MAX = 2
LOG_MEGABYTES_MAX = 4

_HEAP = ("-Xms32m", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
_SHORT_LIVED = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a tool that ends within seconds: it is over before Java's second compiler pays, which costs it a third more."""
_FORMAT_CLASSES = ("kafka.tools.StorageTool", "org.apache.kafka.tools.StorageTool")
"""The format tool's class up to 4.3, and where it goes in later releases."""
_SECRET = re.compile(r"\b(password|salt|storedKey|serverKey)=[^\s\])]*")
"""In what the format tool says of a user."""
_LINE_CHARACTERS_MAX = 300
_LOG_END_BYTES = 64 * 1024

_PROPERTIES = """\
# Written by the lab before every start; edits are lost.
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
{listeners}log.dirs={log_dirs}
default.replication.factor={replication}
min.insync.replicas={in_sync_min}
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=3
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync_min}
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync_min}
share.coordinator.state.topic.num.partitions=3
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
"""

_PLAIN_LISTENERS = """\
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
"""

_SECURE_LISTENERS = """\
listeners=CLIENTS://{host}:{port},INTERNAL://{host}:{internal_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENTS://{host}:{port},INTERNAL://{host}:{internal_port}
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENTS:SASL_SSL
listener.name.clients.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={login} required;
listener.name.clients.ssl.client.auth=requested
listener.name.clients.ssl.keystore.type=PEM
listener.name.clients.ssl.keystore.location={certificate}
listener.name.clients.ssl.truststore.type=PEM
listener.name.clients.ssl.truststore.location={authorities}
"""
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"

_LOG4J1 = """\
log4j.rootLogger=INFO, file
log4j.appender.file=org.apache.log4j.RollingFileAppender
log4j.appender.file.File={file}
log4j.appender.file.MaxFileSize={megabytes}MB
log4j.appender.file.MaxBackupIndex={backups}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=[%d] %p %m (%c)%n
"""

_LOG4J2 = """\
status=error
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={file}
appender.file.filePattern={file}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size={megabytes}MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max={backups}
"""


def replication_of(brokers: int) -> tuple[int, int]:
    """Replication factor and ``min.insync.replicas`` that let one broker of so many be away: 3 and 2 from three on.

    With two brokers a copy exists but is not waited for; with one there is none.
    """
    return min(brokers, 3), 2 if brokers >= 3 else 1


def certificate_file(folder: Path) -> Path:
    """The PEM file with the key and the certificate of the broker in ``folder``, where listeners are secure."""
    return folder / "broker.pem"


def is_formatted(cluster_dir: Path, broker_id: int) -> bool:
    """Whether the broker's data folder belongs to its cluster already."""
    return (broker_folder(cluster_dir, broker_id) / "data" / "meta.properties").is_file()


def format_broker(cluster_dir: Path, cluster: ClusterFile, place: BrokerPlace, installation: Installation) -> None:
    """Format the broker's data folder for its cluster, at the release's own metadata.version; LabError if it fails."""
    folder = broker_folder(cluster_dir, place.id)
    _write_configuration(folder, cluster, place, installation.release)
    with _user_arguments(folder, cluster) as user:
        _run_format_tool(folder, cluster.cluster_id, installation, user)


@contextmanager
def _user_arguments(folder: Path, cluster: ClusterFile) -> Iterator[tuple[str, ...]]:
    """Arguments that tell the format tool the user of secure listeners; the password is in a file, for the block."""
    if not cluster.secure:
        yield ()
        return
    files = credentials_of(folder.parents[2])
    user = f"SCRAM-SHA-512=[name={read_secret(files.username)},password={read_secret(files.password)}]"
    path = folder / "format-arguments"
    try:
        keep_secret(path, f"--add-scram\n{user}\n")
        yield (f"@{path}",)
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        path.unlink(missing_ok=True)


def _run_format_tool(folder: Path, cluster_id: str, installation: Installation, user: tuple[str, ...]) -> None:
    output = ""
    for tool in _FORMAT_CLASSES:
        argv = installation.command(*_SHORT_LIVED, *_logging_option(folder, installation.release), main=tool)
        ended = run_bounded(
            (*argv, "format", "-t", cluster_id, "-c", str(folder / "server.properties"), *user),
            environ=installation.environ,
            folder=folder,
            seconds_max=FORMAT_SECONDS_MAX,
        )
        if ended.code == 0:
            return
        output = output or ended.output
    raise LabError(f"{folder}: Apache Kafka {installation.release} cannot format it: {_last_line(output)}")


def start_broker(cluster_dir: Path, cluster: ClusterFile, place: BrokerPlace, installation: Installation) -> None:
    """Start the broker on ``installation`` in a session of its own and record which process it is."""
    folder = broker_folder(cluster_dir, place.id)
    release = installation.release
    _write_configuration(folder, cluster, place, release)
    options = (*_HEAP, f"-XX:ErrorFile={folder / 'logs' / 'crash.log'}", *_logging_option(folder, release))
    argv = (*installation.command(*options, main="kafka.Kafka"), str(folder / "server.properties"))

    def record(process: ProcessRecord) -> None:
        write_broker(cluster_dir, place.id, BrokerFile(str(release), str(release), process))

    start(Program(argv, folder, folder / "logs" / "output.log", installation.environ), record)


def last_words(cluster_dir: Path, broker_id: int) -> str:
    """The line in which a broker that ended says why, as far as it can be told."""
    logs = broker_folder(cluster_dir, broker_id) / "logs"
    for name in ("server.log", "output.log"):
        telling = [line for line in _end_lines(logs / name) if "ERROR" in line or "FATAL" in line or "rror:" in line]
        if telling:
            return _shortened(telling[-1])
    return f"nothing in {logs}"


def _write_configuration(folder: Path, cluster: ClusterFile, place: BrokerPlace, release: Release) -> None:
    logging = (_LOG4J1 if release.major < 4 else _LOG4J2).format(
        file=folder / "logs" / "server.log", megabytes=LOG_MEGABYTES_MAX, backups=LOG_FILES_MAX
    )
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir(exist_ok=True)
        (folder / "server.properties").write_text(_java_escapes(server_properties(folder, cluster, place)), "ascii")
        (folder / "logging.properties").write_text(_java_escapes(logging), "ascii")
    except OSError as error:
        raise LabError(f"{folder}: its configuration cannot be written: {error.strerror}") from error


def server_properties(folder: Path, cluster: ClusterFile, place: BrokerPlace) -> str:
    """The broker's configuration."""
    replication, in_sync_min = replication_of(len(cluster.brokers))
    listeners = _SECURE_LISTENERS if cluster.secure else _PLAIN_LISTENERS
    return _PROPERTIES.format(
        id=place.id,
        voters=",".join(f"{node.id}@{node.host}:{node.controller_port}" for node in cluster.brokers),
        listeners=listeners.format(
            host=place.host,
            port=place.port,
            controller_port=place.controller_port,
            internal_port=place.internal_port,
            login=_SCRAM_LOGIN,
            certificate=certificate_file(folder),
            authorities=credentials_of(folder.parents[2]).authorities if cluster.secure else "",
        ),
        log_dirs=folder / "data",
        replication=replication,
        in_sync_min=in_sync_min,
    )


def _logging_option(folder: Path, release: Release) -> tuple[str, ...]:
    name = "log4j.configuration" if release.major < 4 else "log4j2.configurationFile"
    return (f"-D{name}={(folder / 'logging.properties').as_uri()}",)


def _java_escapes(text: str) -> str:
    """Java reads property files as Latin-1, with an escape for every other UTF-16 unit."""
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def _last_line(output: str) -> str:
    lines = [line for line in _SECRET.sub(r"\1=…", output).splitlines() if line.strip()]
    return _shortened(lines[-1]) if lines else "it said nothing"


def _end_lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _LOG_END_BYTES))
        return file.read(_LOG_END_BYTES).decode(errors="replace").splitlines()
    return []


def _shortened(line: str) -> str:
    plain = line.strip()
    return plain if len(plain) <= _LINE_CHARACTERS_MAX else plain[:_LINE_CHARACTERS_MAX] + "…"
