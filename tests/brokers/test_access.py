"""Certificates that cannot be used are told as that, and nobody is asked for anything on a terminal."""

import subprocess
from pathlib import Path

import pytest

from controller.brokers.access import Access, Tls
from controller.errors import ObservationError
from tests.real.kafka_certificates import Authority


def encrypted(key: Path) -> Path:
    """The same key, under a pass phrase."""
    made = key.with_suffix(".encrypted")
    arguments = ("pkcs8", "-topk8", "-in", key, "-out", made, "-passout", "pass:correct-horse")
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return made


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_pass_phrase(tmp_path: Path) -> None:
    """
    The sentence says what to do, also where certificate and key are one file.
    """
    certificate, key = Authority(tmp_path).certificate, tmp_path / "authority.key"
    locked = encrypted(key)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + locked.read_text())

    for tls, named in ((Tls(None, certificate, locked), locked), (Tls(None, both), both)):
        with pytest.raises(ObservationError) as caught:
            Access(tls).options()
        assert f"{named}: the key must not be encrypted: give it without a pass phrase" == str(caught.value)
    assert "ssl_context" in Access(Tls(None, certificate, key)).options()


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    """
    By the file that it was read from.
    """
    certificate = Authority(tmp_path).certificate
    Authority(tmp_path, "other")
    key = tmp_path / "other.key"

    for tls in (Tls(None, certificate, key), Tls(None, tmp_path / "absent", key)):
        with pytest.raises(ObservationError, match=f"^{tls.certificate}: no certificate and key can be read: "):
            Access(tls).options()
