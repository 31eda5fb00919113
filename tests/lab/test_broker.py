"""A broker's configuration: small, bounded, and able to lose one broker where there are enough of them."""

import shutil
from pathlib import Path

import msgspec
import pytest

from controller.errors import LabError
from controller.lab.broker import (
    format_broker,
    is_formatted,
    last_words,
    replication_of,
    server_properties,
    start_broker,
)
from controller.lab.records import broker_folder, read_broker
from controller.lab.releases import Release
from controller.labfiles import BrokerPlace, ClusterFile, credentials_of, read_cluster
from tests.lab.labs import BROKEN, NEW, a_cache, a_cluster, a_lab, brokers_killed, fake_tools, kill, wait_until


@pytest.mark.parametrize(("brokers", "copies", "in_sync_min"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 3, 2)])
def test_a_cluster_stands_the_loss_of_one_broker_where_it_can(brokers: int, copies: int, in_sync_min: int) -> None:
    """
    Three copies of which two are waited for, from three brokers on; fewer brokers do what they can.
    """
    assert (copies, in_sync_min) == replication_of(brokers)


def test_the_configuration_names_every_voter_and_the_small_buffer() -> None:
    """
    Without the small buffer a heap of this size dies at the start.
    """
    cluster = a_cluster(brokers=3)
    place = cluster.brokers[1]
    lines = server_properties(Path("/lab/broker-2"), cluster, place).splitlines()

    voters = ",".join(f"{node.id}@127.0.0.1:{node.controller_port}" for node in cluster.brokers)
    assert f"controller.quorum.voters={voters}" in lines
    assert f"listeners=PLAINTEXT://127.0.0.1:{place.port},CONTROLLER://127.0.0.1:{place.controller_port}" in lines
    assert "log.dirs=/lab/broker-2/data" in lines
    assert "log.cleaner.dedupe.buffer.size=4194304" in lines
    assert "default.replication.factor=3" in lines
    assert "min.insync.replicas=2" in lines


def test_a_folder_with_any_name_is_written_as_java_reads_it(tmp_path: Path) -> None:
    """
    Java reads property files as Latin-1; a name outside ASCII is written by its escapes.
    """
    folder = a_lab(tmp_path / "größe 😀")
    cluster = read_cluster(folder)
    assert cluster is not None
    tools = fake_tools(tmp_path / "tools", maven=None)
    installation = a_cache(tmp_path / "cache", NEW, environ=tools.environ).provide(Release.parse(NEW), progress=str)

    with brokers_killed(tmp_path / "größe 😀"):
        start_broker(folder, cluster, cluster.brokers[0], installation)

    text = (broker_folder(folder, 1) / "server.properties").read_text(encoding="ascii")
    assert "/gr\\u00f6\\u00dfe \\ud83d\\ude00/" in text


@pytest.mark.parametrize(("release", "option"), [("3.9.2", "log4j.configuration"), (NEW, "log4j2.configurationFile")])
def test_each_release_gets_the_logging_it_understands(tmp_path: Path, release: str, option: str) -> None:
    """
    log4j 1 up to 3.9, log4j 2 from 4.0 on; both in files of bounded size.
    """
    folder = a_lab(tmp_path / "lab")
    cluster = read_cluster(folder)
    assert cluster is not None
    tools = fake_tools(tmp_path / "tools", maven=None)
    installation = a_cache(tmp_path / "cache", release, environ=tools.environ).provide(
        Release.parse(release), progress=str
    )

    start_broker(folder, cluster, cluster.brokers[0], installation)
    file = read_broker(folder, 1)
    assert file is not None
    assert file.process is not None
    command = Path(f"/proc/{file.process.pid}/cmdline")
    seen = [""]

    def has_run() -> bool:
        seen.append(command.read_text())
        return "kafka.Kafka" in seen[-1]

    try:
        wait_until(has_run, "the broker's own program ran")
        arguments = seen[-1].split("\0")  # read once: the program may end at any moment
    finally:
        kill(file.process)

    configuration = broker_folder(folder, 1) / "logging.properties"
    assert f"-D{option}={configuration.as_uri()}" in arguments
    assert "4MB" in configuration.read_text()
    assert (release, release) == (file.assigned, file.release)


def test_a_format_that_fails_is_told_by_its_last_line(tmp_path: Path) -> None:
    """
    The sentence names the folder, the release and what Kafka's own tool said.
    """
    folder = a_lab(tmp_path / "lab")
    cluster = read_cluster(folder)
    assert cluster is not None
    tools = fake_tools(tmp_path / "tools", maven=None)
    installation = a_cache(tmp_path / "cache", BROKEN, environ=tools.environ).provide(
        Release.parse(BROKEN), progress=str
    )

    with pytest.raises(LabError, match=f"Apache Kafka {BROKEN} cannot format it: ERROR the disk is on fire"):
        format_broker(folder, cluster, cluster.brokers[0], installation)
    assert not is_formatted(folder, 1)


def test_last_words_are_found_in_the_log_or_in_the_output(tmp_path: Path) -> None:
    """
    What Kafka logged counts before what Java printed; where there is neither, the folder is named.
    """
    folder = a_lab(tmp_path)
    logs = broker_folder(folder, 1) / "logs"
    logs.mkdir()

    assert f"nothing in {logs}" == last_words(folder, 1)
    (logs / "output.log").write_text("Error: could not find java.base\nmore\n")
    assert "Error: could not find java.base" == last_words(folder, 1)
    (logs / "server.log").write_text("x" * 100_000 + "\n[t] INFO a\n[t] ERROR b" + "y" * 1000 + "\n[t] INFO c\n")
    assert last_words(folder, 1).startswith("[t] ERROR byy")
    assert 301 == len(last_words(folder, 1))


def test_secure_listeners_are_for_clients_and_plain_ones_on_ports_of_their_own_for_brokers() -> None:
    """
    TLS and SCRAM alone on the port that is told to clients; the configuration names files, and no password.
    """
    place = BrokerPlace(1, "127.0.0.1", 20001, 20002, 20003)
    cluster = ClusterFile("lab-1", "MkU3OEVBNTcwNTJENDM2Qk", (place,), secure=True)
    text = server_properties(Path("/lab/clusters/lab-1/broker-1"), cluster, place)
    lines = text.splitlines()

    listeners = "CLIENTS://127.0.0.1:20001,INTERNAL://127.0.0.1:20003"
    assert f"listeners={listeners},CONTROLLER://127.0.0.1:20002" in lines
    assert f"advertised.listeners={listeners}" in lines
    assert "listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENTS:SASL_SSL" in lines
    assert "listener.name.clients.sasl.enabled.mechanisms=SCRAM-SHA-512" in lines
    assert "listener.name.clients.ssl.keystore.location=/lab/clusters/lab-1/broker-1/broker.pem" in lines
    assert "listener.name.clients.ssl.truststore.location=/lab/credentials/ca.crt" in lines
    assert "password" not in text


def test_a_password_is_in_no_argument_and_no_error_of_the_format_tool(tmp_path: Path) -> None:
    """
    Safety: it is handed over in a file that is gone after, and taken out of what the tool says of it.
    """
    folder = a_lab(tmp_path / "lab")
    cluster = read_cluster(folder)
    assert cluster is not None
    credentials_of(tmp_path / "lab").folder.mkdir()
    credentials_of(tmp_path / "lab").username.write_text("ana")
    credentials_of(tmp_path / "lab").password.write_text("open-sesame")
    tools = fake_tools(tmp_path / "tools", maven=None)
    java = tools.folder / "bin" / "java"
    (tools.folder / "bin" / "cat").symlink_to(str(shutil.which("cat")))
    talkative = 'for last; do :; done\ncat "${last#@}"\necho "$@" >> "${0%/bin/java}/arguments"\nexit 1\n'
    java.write_text(java.read_text().partition("while :")[0] + talkative)
    installation = a_cache(tmp_path / "cache", NEW, environ=tools.environ).provide(Release.parse(NEW), progress=str)

    with pytest.raises(LabError, match=r"cannot format it: SCRAM-SHA-512=\[name=ana,password=…\]"):
        format_broker(folder, msgspec.structs.replace(cluster, secure=True), cluster.brokers[0], installation)

    told = (tools.folder / "arguments").read_text()
    assert "format-arguments" in told
    assert "open-sesame" not in told
    assert not (broker_folder(folder, 1) / "format-arguments").exists()
