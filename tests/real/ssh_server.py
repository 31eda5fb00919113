"""A real OpenSSH server on loopback that serves Git repositories, for the ``ssh://`` half of the Git source.

It runs this machine's ``sshd`` with a configuration, a host key and an authorised key of its own, under the account
that runs the tests, and touches no file of that account. Paths in addresses are absolute, as SSH logins have no root.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real_parts import require

_START_SECONDS_MAX = 10
_STOP_SECONDS_MAX = 5
_PRIVILEGE_SEPARATION = Path("/run/sshd")
"""Where OpenSSH started by root confines itself; Debian's start script makes it."""

_CONFIGURATION = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
UsePAM no
StrictModes no
PidFile none
PrintMotd no
AcceptEnv GIT_PROTOCOL
SetEnv GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
"""


class SshServer:
    """``with SshServer(root, folder) as server``: repositories below ``root`` over SSH; keys are kept in ``folder``.

    Skips the test (fails it under CI) where there is no ``sshd`` or no ``ssh-keygen``.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._sshd = shutil.which("sshd", path=os.defpath + ":/usr/sbin:/usr/local/sbin")
        require(self._sshd and shutil.which("ssh-keygen"), "no OpenSSH server here: install openssh-server")
        self.root = root.resolve()
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self.key_file = self.new_key("client_key")
        """The private key that the server lets in."""
        self.known_hosts_file = self.folder / "known_hosts"
        """Knows this server's host key, once it has started."""
        self._host_key = self.new_key("host_key")
        shutil.copyfile(self.key_file.with_suffix(".pub"), self.folder / "authorized_keys")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, repository: str) -> str:
        """The address to clone a repository by, given its path below ``root``."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.root}/{repository}"

    def new_key(self, name: str) -> Path:
        """Make a key pair in ``folder``; the path of its private half. The server lets only ``key_file`` in."""
        path = self.folder / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(command, check=True, timeout=10)
        return path

    def start(self) -> Self:
        """Start on a free port and wait until it greets; one that was stopped comes back on the same port."""
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.port = self.port or free_port()
        configuration = self.folder / "sshd_config"
        configuration.write_text(_CONFIGURATION.format(port=self.port, folder=self.folder))
        public = self._host_key.with_suffix(".pub").read_text()
        self.known_hosts_file.write_text(f"[127.0.0.1]:{self.port} {public}")
        with (self.folder / "sshd.log").open("ab") as log:
            command = [str(self._sshd), "-D", "-e", "-f", str(configuration)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
        self._await_greeting()
        return self

    def stop(self) -> None:
        """End the server and what it started; the port is free again."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(_STOP_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _await_greeting(self) -> None:
        assert self._process is not None, "started"
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                if probe.recv(4) == b"SSH-":
                    return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"sshd did not start:\n{(self.folder / 'sshd.log').read_text()}")


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
