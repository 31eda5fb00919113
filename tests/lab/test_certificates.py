"""Certificates and passwords of a lab: by the real openssl, checked by a real handshake, for their owner alone."""

import os
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.certificates import USERNAME, OpenSsl, provide_broker_certificate, provide_credentials
from controller.lab.probe import answers_at
from controller.lab.reach import access_of, client_options, reach_of
from controller.labfiles import BrokerPlace, ClusterFile, Credentials, cluster_folder, credentials_of
from tests.real_parts import require

SECURE = ClusterFile("lab-1", "MkU3OEVBNTcwNTJENDM2Qk", (BrokerPlace(1, "127.0.0.1", 9, 10, 11),), secure=True)


@pytest.fixture
def openssl() -> OpenSsl:
    """The real program."""
    require(shutil.which("openssl"), "certificates are made by openssl: install openssl")
    return OpenSsl.find(os.environ)


@pytest.fixture
def lab(tmp_path: Path, openssl: OpenSsl) -> Path:
    """The folder of a lab that has its credentials, and one broker's certificate."""
    cluster_folder(tmp_path, "lab-1").mkdir(parents=True)
    provide_credentials(credentials_of(tmp_path), openssl)
    provide_broker_certificate(broker_pem(tmp_path), credentials_of(tmp_path), openssl, "broker 1 of lab-1")
    return tmp_path


def broker_pem(lab: Path) -> Path:
    """The broker's key and certificate."""
    return cluster_folder(lab, "lab-1") / "broker.pem"


def test_secrets_are_readable_by_their_owner_alone(lab: Path) -> None:
    """
    Each file in mode 0600, their folder in 0700, and nothing else is left of the making.
    """
    files = credentials_of(lab)

    assert 0o700 == files.folder.stat().st_mode & 0o777
    made = {path.name: path.stat().st_mode & 0o777 for path in (*files.folder.iterdir(), broker_pem(lab))}
    names = ("ca.crt", "ca.key", "user.crt", "user.key", "username", "password", "broker.pem")
    assert dict.fromkeys(names, 0o600) == made


def test_what_is_made_once_is_kept(lab: Path, openssl: OpenSsl) -> None:
    """
    A second ``lab up`` changes no password and no certificate; what a broken-off one left out is made.
    """
    files = credentials_of(lab)
    files.password.unlink()
    before = {path.name: path.read_bytes() for path in files.folder.iterdir()}

    provide_credentials(files, openssl)
    provide_broker_certificate(broker_pem(lab), files, openssl, "another")

    assert before == {path.name: path.read_bytes() for path in files.folder.iterdir() if path != files.password}
    assert len(files.password.read_text()) >= 32


def test_a_client_trusts_a_broker_by_name_and_address_and_shows_its_own_certificate(lab: Path) -> None:
    """
    A handshake with the very files: for 127.0.0.1 and localhost, both sides checked; the user is known by its name.
    """
    client = client_options(access_of(cluster_folder(lab, "lab-1"), SECURE))["ssl_context"]
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=credentials_of(lab).authorities)
    server.load_cert_chain(broker_pem(lab))
    server.verify_mode = ssl.CERT_REQUIRED

    for name in ("127.0.0.1", "localhost"):
        assert [USERNAME] == shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(client, server, "kafka.example.com")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> list[str]:
    """Let both shake hands in memory, the client asking for ``name``; the common names that the server sees."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for side in (*sides, *sides, *sides):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = sides[1].getpeercert()
    assert shown is not None
    return [value for parts in shown["subject"] for key, value in parts if key == "commonName"]


def test_access_to_a_secure_cluster_is_by_scram_and_to_a_plain_one_by_nothing(lab: Path) -> None:
    """
    What each client of the lab takes; the password stands in no repr.
    """
    reach = reach_of(cluster_folder(lab, "lab-1"), SECURE)
    options = client_options(reach.access)
    password = credentials_of(lab).password.read_text()

    assert ("SASL_SSL", "SCRAM-SHA-512", USERNAME, password) == (
        options["security_protocol"],
        options["sasl_mechanism"],
        options["sasl_plain_username"],
        options["sasl_plain_password"],
    )
    assert ("127.0.0.1:9",) == reach.bootstrap
    assert password not in repr(reach)
    plain = ClusterFile("lab-1", SECURE.cluster_id, SECURE.brokers)
    assert {"security_protocol": "PLAINTEXT"} == client_options(access_of(cluster_folder(lab, "lab-1"), plain))


@pytest.mark.parametrize(
    ("name", "content"), [("username", None), ("password", b""), ("password", b"\xff"), ("ca.crt", b"x")]
)
def test_credentials_that_cannot_be_read_are_one_sentence(lab: Path, name: str, content: bytes | None) -> None:
    """
    It names the file, and has no word of what is in it.
    """
    path = credentials_of(lab).folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(LabError, match=f"credentials/{name}: "):
        client_options(access_of(cluster_folder(lab, "lab-1"), SECURE))


def test_a_missing_openssl_is_told_with_what_to_install() -> None:
    """
    Before anything of a secure lab is made.
    """
    with pytest.raises(LabError, match=r"found no openssl in PATH; install OpenSSL .* apt-get install openssl"):
        OpenSsl.find({"PATH": "/nowhere"})


def test_an_openssl_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    """
    And leaves nothing half made.
    """
    (tmp_path / "openssl").write_text("#!/bin/sh\necho 'unknown option'\nexit 1\n")
    (tmp_path / "openssl").chmod(0o755)
    files = Credentials(tmp_path / "credentials")

    with pytest.raises(LabError, match="openssl req: cannot make a certificate: unknown option"):
        provide_credentials(files, OpenSsl.find({"PATH": str(tmp_path)}))
    assert [] == [*files.folder.iterdir()]


def test_only_an_answer_counts_as_answering(lab: Path) -> None:
    """
    A socket that accepts and says nothing, as of a stopped broker, does not answer, plain or over TLS; nor does nobody.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        context = ssl.create_default_context(cafile=credentials_of(lab).authorities)

        assert not answers_at("127.0.0.1", port, None)
        assert not answers_at("127.0.0.1", port, context)
    assert not answers_at("127.0.0.1", port, None)


def test_a_broker_that_says_anything_answers() -> None:
    """
    The first bytes of a response to the smallest request there is.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = threading.Thread(target=lambda: _answer(server))
        answers.start()

        assert answers_at("127.0.0.1", server.getsockname()[1], None)
        answers.join(10)


def _answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        assert 14 == len(connection.recv(14))
        connection.sendall(b"\0\0\0\6")
