"""A real Kubernetes API server with its store: two processes on loopback, and no cluster behind them.

It authenticates by tokens and authorizes by RBAC, keeps an audit log of every request, and can be stopped, restarted on
the same store and frozen as a hung server is. Custom resources are those of ``strimzi-crds.yaml``.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from tests.real.frozen import freeze
from tests.real.ssh_server import free_port
from tests.real_parts import require

ROOT = Path(__file__).resolve().parent.parent.parent
CRDS = Path(__file__).with_name("strimzi-crds.yaml")
ADMIN = "admin-token"
"""The token of somebody who may do everything."""
USERS = ("wavefleet", "reader", "operator", "person")
"""Users by name; the token of each is its name with ``-token``, and what it may do is for tests to bind."""
PROGRAMS = ("kube-apiserver", "etcd", "kubectl")

_CALL_SECONDS_MAX = 30
_KUBECTL_SECONDS_MAX = 60
_START_SECONDS_MAX = 90
_STOP_SECONDS_MAX = 30
_POLL_SECONDS = 0.05
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Request"}],
}


def assets() -> Path:
    """Return the folder of the programs; ``make kube`` builds them once per machine."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wavefleet" / "kube"
    folders = [Path(given)] if given else sorted(cache.glob("[0-9]*"))
    whole = [each for each in folders if all((each / program).exists() for program in PROGRAMS)]
    named = ", ".join(PROGRAMS)
    require(whole, f"found no folder with {named}; run `make kube`, or name it in KUBEBUILDER_ASSETS")
    return whole[-1]


@dataclass
class ApiServer:
    """``with ApiServer(folder) as server``: running and ready; ``stop`` and ``start`` keep what is stored."""

    folder: Path
    kinds: str = "v1,v1beta2"
    """The API versions in which Strimzi's resources are served, the stored one first."""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Choose where it runs; nothing is started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._store_ports = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = self.folder / "certificates" / "apiserver.crt"
        self.audit_file = self.folder / "audit.jsonl"
        self._programs = assets()
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        self._write_files()
        try:
            self.start()
            self.apply_all(strimzi_crds(self.kinds))
            self._await_kinds()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._http.close()

    def start(self) -> None:
        """Start the store and the server, and wait until it is ready."""
        store, peer = (f"http://127.0.0.1:{port}" for port in self._store_ports)
        etcd = ["--data-dir", self.folder / "etcd", "--listen-client-urls", store, "--advertise-client-urls", store]
        etcd += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        self._run("etcd", *etcd, "--initial-cluster", f"default={peer}", "--unsafe-no-fsync")
        key = self.folder / "account.key"
        flags = {
            "etcd-servers": store,
            "cert-dir": self.certificate.parent,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self.port,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "token-auth-file": self.folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "audit-policy-file": self.folder / "audit.yaml",
            "audit-log-path": self.audit_file,
        }
        self._run("kube-apiserver", *(f"--{name}={value}" for name, value in flags.items()))
        self._await_ready()

    def stop(self) -> None:
        """End both, the server first; what is stored stays."""
        processes, self._processes = self._processes, []
        for process in reversed(processes):
            # Asked kindly it waits half a minute for whoever watches; the store is whole at any moment.
            process.send_signal(signal.SIGKILL if process is not processes[0] else signal.SIGTERM)
        for process in reversed(processes):
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def freeze(self) -> None:
        """Answer nothing from now on, and keep every connection open."""
        freeze(self._processes[-1])

    def thaw(self) -> None:
        """Go on."""
        self._processes[-1].send_signal(signal.SIGCONT)

    def call(
        self, method: str, path: str, body: object = None, *, token: str = ADMIN, kind: str = "application/json"
    ) -> Any:  # noqa: ANN401 - what the server says
        """Return the server's answer, or raise ``requests.HTTPError`` with its sentence."""
        answer = self._http.request(
            method,
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
            verify=str(self.certificate),
            timeout=_CALL_SECONDS_MAX,
        )
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def patch(self, path: str, body: object, *, token: str = ADMIN) -> Any:  # noqa: ANN401 - as above
        """Merge ``body`` into what is at ``path``."""
        return self.call("PATCH", path, body, token=token, kind="application/merge-patch+json")

    def apply_all(self, objects: list[dict[str, Any]]) -> None:
        """Apply manifests on the server, whatever is there already."""
        for each in objects:
            path = f"{self._path_of(each)}?fieldManager=tests&force=true"
            self.call("PATCH", path, each, kind="application/apply-patch+yaml")

    def kubeconfig(self, user: str = "admin", context: str = "fleet") -> Path:
        """Write a kubeconfig file with one context for a user, and return its path."""
        file = self.folder / f"kubeconfig-{user}-{context}"
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": context, "context": {"cluster": "here", "user": user}}],
        }
        file.write_text(yaml.safe_dump(content))
        file.chmod(0o600)
        return file

    def kubectl(self, *arguments: object, user: str = "admin") -> str:
        """Run ``kubectl ARGUMENTS`` as a user and return what it printed; fails where it does, also on a warning."""
        command = [self._programs / "kubectl", f"--kubeconfig={self.kubeconfig(user)}", "--warnings-as-errors"]
        home = {"HOME": str(self.folder / "home"), "PATH": os.environ["PATH"]}  # nothing of the person's own, no proxy
        done = subprocess.run(
            [*map(str, [*command, "--context=fleet", *arguments])],
            env=home,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS_MAX,
            check=False,
        )
        assert 0 == done.returncode, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def audited(self) -> Iterator[Mapping[str, Any]]:
        """Yield every request that was answered, oldest first, as the audit log has it."""
        with self.audit_file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def _run(self, program: str, *arguments: object) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [str(self._programs / program), *map(str, arguments)]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not self._is_ready():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._processes):
                log = (self.folder / "kube-apiserver.log").read_text(errors="replace")[-3000:]
                raise TimeoutError(f"the API server does not become ready:\n{log}")
            time.sleep(_POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            answer = self._http.get(
                f"{self.url}/readyz",
                headers={"Authorization": f"Bearer {ADMIN}"},
                verify=str(self.certificate) if self.certificate.exists() else True,
                timeout=_CALL_SECONDS_MAX,
            )
        except requests.RequestException:
            return False
        return answer.ok

    def _await_kinds(self) -> None:
        """Wait until the resources of a definition that was just applied are served."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        paths = [f"/apis/kafka.strimzi.io/{version}/kafkas" for version in self.kinds.split(",")]
        while not all(self._serves(path) for path in paths):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{paths} are not served")
            time.sleep(_POLL_SECONDS)

    def _serves(self, path: str) -> bool:
        try:
            self.call("GET", f"{path}?limit=1")
        except requests.HTTPError:
            return False
        return True

    def _path_of(self, manifest: Mapping[str, Any]) -> str:
        """Return where a manifest lies: found by discovery, as kubectl does."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        known = self.call("GET", root)["resources"]
        resource = next(each for each in known if each["kind"] == kind and "/" not in each["name"])
        name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace", "default")
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{root}{place}/{resource['name']}/{name}"

    def _write_files(self) -> None:
        key = self.folder / "account.key"
        openssl = shutil.which("openssl")
        require(openssl is not None, "found no openssl; install it")
        if not key.exists():
            subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        users = [f"{ADMIN},admin,admin,system:masters", *(f"{user}-token,{user},{user}" for user in USERS)]
        (self.folder / "tokens.csv").write_text("\n".join(users) + "\n")
        (self.folder / "audit.yaml").write_text(json.dumps(_AUDIT_POLICY))


def strimzi_crds(kinds: str) -> list[dict[str, Any]]:
    """Return the definitions of Strimzi's resources, served in ``kinds``, of which the first is stored."""
    served = kinds.split(",")
    definitions = list(yaml.safe_load_all(CRDS.read_text(encoding="utf-8")))
    for definition in definitions:
        versions = definition["spec"]["versions"]
        if definition["spec"]["group"] == "kafka.strimzi.io":
            template = versions[0]
            definition["spec"]["versions"] = [
                {**template, "name": version, "served": True, "storage": version == served[0]} for version in served
            ]
    return definitions
