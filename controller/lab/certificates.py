"""Makes what secure listeners need, by the program ``openssl``: an authority of the lab's own, certificates, a login.

Each file is made once, in a temporary folder, and renamed into its place in mode 0600, so that a broken-off ``lab up``
goes on where it was. A key or password is never an argument of a program, and never printed. The certificates hold for
``localhost`` and ``127.0.0.1`` alone, and for ten years: a lab is not kept that long, and nothing here renews them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError
from controller.lab.toolchain import run_bounded
from controller.labfiles import Credentials

USERNAME = "wavefleet"
DAYS = "3650"
OPENSSL_SECONDS_MAX = 30.0
"""Seconds as seen: 0.02."""

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
_EXTENSIONS = """\
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage={use}
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"


@dataclass(frozen=True, slots=True)
class OpenSsl:
    """The program, where it is."""

    path: str
    environ: Mapping[str, str]

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> OpenSsl:
        """The ``openssl`` of PATH; LabError when there is none."""
        found = shutil.which("openssl", path=environ.get("PATH", ""))
        if found is None:
            raise LabError(
                "secure listeners need certificates: found no openssl in PATH;"
                " install OpenSSL 1.1.1 or newer (on Debian: apt-get install openssl)"
            )
        return cls(found, environ)

    def run(self, folder: Path, *arguments: str) -> None:
        """Run it in ``folder``; LabError with its own last words when it fails."""
        argv = (self.path, *arguments)
        ended = run_bounded(argv, environ=self.environ, folder=folder, seconds_max=OPENSSL_SECONDS_MAX)
        if ended.code != 0:
            words = next(
                (line.strip() for line in reversed(ended.output.splitlines()) if line.strip()), "it said nothing"
            )
            raise LabError(f"openssl {arguments[0]}: cannot make a certificate: {words}")


def provide_credentials(files: Credentials, openssl: OpenSsl) -> None:
    """Make the lab's authority, a client's certificate, a name and a password, where they are missing."""
    try:
        files.folder.mkdir(mode=0o700, exist_ok=True)
        if not files.authorities.exists():
            with _workplace(files.folder) as work:
                openssl.run(
                    Path(work), "req", "-x509", *_KEY, "-keyout", "key", "-out", "crt", "-days", DAYS,
                    "-subj", "/CN=wavefleet lab authority", *_CA,
                )  # fmt: skip
                _keep(Path(work) / "key", _authority_key(files))
                _keep(Path(work) / "crt", files.authorities)
        if not files.certificate.exists():
            with _workplace(files.folder) as work:
                _sign(Path(work), files, openssl, USERNAME, _EXTENSIONS.format(use="clientAuth"))
                _keep(Path(work) / "key", files.key)
                _keep(Path(work) / "crt", files.certificate)
        for path, word in ((files.username, USERNAME), (files.password, secrets.token_urlsafe(24))):
            if not path.exists():
                keep_secret(path, word)
    except OSError as error:
        raise LabError(f"{files.folder}: credentials cannot be written: {error.strerror}") from error


def provide_broker_certificate(path: Path, files: Credentials, openssl: OpenSsl, name: str) -> None:
    """Make ``path``, a PEM file with a broker's key and certificate and the authority's, where it is missing."""
    if path.exists():
        return
    try:
        with _workplace(path.parent) as work:
            _sign(Path(work), files, openssl, name, _EXTENSIONS.format(use="serverAuth") + _NAMES)
            parts = [(Path(work) / part).read_text("ascii") for part in ("key", "crt")]
        keep_secret(path, "".join([*parts, files.authorities.read_text("ascii")]))
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror}") from error


def keep_secret(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all, so that only its owner can read it; OSError where it cannot."""
    with _workplace(path.parent) as work:
        new = Path(work) / path.name
        new.touch(mode=0o600)
        new.write_text(text, "ascii")
        _keep(new, path)


def _sign(work: Path, files: Credentials, openssl: OpenSsl, name: str, extensions: str) -> None:
    """Make ``key`` and ``crt`` in ``work``."""
    (work / "extensions").write_text(extensions, "ascii")
    openssl.run(work, "req", "-new", *_KEY, "-keyout", "key", "-out", "csr", "-subj", f"/CN={name}")
    authority = ("-CA", str(files.authorities), "-CAkey", str(_authority_key(files)))
    serial = str(secrets.randbits(120) + 1)
    openssl.run(
        work, "x509", "-req", "-in", "csr", *authority, "-set_serial", serial, "-days", DAYS,
        "-extfile", "extensions", "-out", "crt",
    )  # fmt: skip


def _authority_key(files: Credentials) -> Path:
    return files.folder / "ca.key"


def _workplace(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder that nobody else may enter, on the same file system as what is made in it."""
    return tempfile.TemporaryDirectory(dir=folder, prefix=".making-")


def _keep(new: Path, path: Path) -> None:
    new.chmod(0o600)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
