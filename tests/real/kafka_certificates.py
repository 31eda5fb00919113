"""Certificates as an authority makes them, by openssl: for brokers, for clients, and bad ones."""

import shutil
import subprocess
from pathlib import Path

from tests.real_parts import require


class Authority:
    """An authority of its own in ``folder``; each of its files is PEM."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        require(shutil.which("openssl"), "certificates are made by openssl: install it")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = folder / f"{name}.key"
        self.certificate = folder / f"{name}.pem"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", self._key, "-out", self.certificate),
        )

    def issue(self, name: str, *, alternatives: str = "IP:127.0.0.1,DNS:localhost", days: int = 2) -> tuple[Path, Path]:
        """Make a certificate and its key; one of -1 days is past its end from the start."""
        certificate, key, asked = (self._folder / f"{name}.{ending}" for ending in ("pem", "key", "csr"))
        _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", asked)
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl(
            *("x509", "-req", "-in", asked, "-CA", self.certificate, "-CAkey", self._key, "-days", str(days)),
            *("-extfile", extensions, "-out", certificate),
        )
        return certificate, key

    def keystore(self, name: str, *, alternatives: str = "IP:127.0.0.1,DNS:localhost", days: int = 2) -> Path:
        """Make a certificate, and return the one file with its key that Kafka takes."""
        certificate, key = self.issue(name, alternatives=alternatives, days=days)
        both = self._folder / f"{name}-both.pem"
        both.write_text(key.read_text() + certificate.read_text())
        return both


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
