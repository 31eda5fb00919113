"""A pod of the Deployment as far as an API server knows it, and Wavefleet as a process with what a pod is given.

The pod's object is on the server, so that its token is bound to it as a real one is: once the pod is gone, the token is
worth nothing. The daemon is the very program, in a process that finds the token where ``in_pod`` says.
"""

import subprocess
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from tests.deploy.manifests import ACCOUNT, BASE, NAMESPACE, container, rendered, the
from tests.processes.worlds import Daemon
from tests.real.kubernetes import ApiServer
from tests.system.daemons import environment

SECONDS_MAX = 60
NUMBERS = count()


class Pod:
    """A pod of ``deploy/base``, and a folder with the files of its ServiceAccount."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.server = server
        self.folder = folder
        (folder / "ca.crt").write_bytes(server.certificate.read_bytes())
        (folder / "namespace").write_text(NAMESPACE)
        self.come_anew()

    def come_anew(self) -> None:
        """Let another pod be there, with a token of its own in the same place."""
        documents = rendered(self.server, BASE)
        template = the(documents, "Deployment")["spec"]["template"]
        self._variables = {each["name"]: each["value"] for each in container(documents)["env"]}
        self.name = f"{ACCOUNT}-{next(NUMBERS)}"
        pod = {"metadata": {**template["metadata"], "name": self.name}, "spec": template["spec"]}
        self.server.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
        self.write_token(token_of(self.server, "--bound-object-kind=Pod", f"--bound-object-name={self.name}"))

    def write_token(self, token: str) -> None:
        """Renew the token's file, whole at any moment as the kubelet does it."""
        renewed = self.folder / "token.new"
        renewed.write_text(token)
        renewed.replace(self.token_file)

    @property
    def token_file(self) -> Path:
        """The file of the token."""
        return self.folder / "token"

    def go(self) -> None:
        """Let the pod be gone from the server, and its token be worth nothing."""
        self.server.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{self.name}", {"gracePeriodSeconds": 0})

    def environment(self, settings: Mapping[str, object]) -> dict[str, str]:
        """Return the variables of a process in the pod."""
        address = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.server.port)}
        return environment(settings) | self._variables | address

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs ``wavefleet ARGUMENTS`` as in the pod."""
        return [sys.executable, "-m", "tests.deploy.in_pod", str(self.folder), *arguments]

    def run(self, settings: Mapping[str, object], *arguments: str, code: int = 0) -> str:
        """Run ``wavefleet ARGUMENTS`` in the pod, and return what it printed; its exit code must be ``code``."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(settings),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert code == done.returncode, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


class DaemonInPod(Daemon):
    """``wavefleet run`` in a pod."""

    def __init__(self, pod: Pod, settings: Mapping[str, object], log: Path) -> None:
        super().__init__(settings, log)
        self._environment = pod.environment(settings)
        self._command = pod.command("run")

    def start(self) -> None:
        """Start the process; its lines are appended to the log."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)


def token_of(server: ApiServer, *arguments: str, account: str = ACCOUNT) -> str:
    """Return a new token of a ServiceAccount, as ``kubectl create token`` makes it."""
    return server.kubectl("create", "token", account, f"--namespace={NAMESPACE}", "--duration=1h", *arguments).strip()
