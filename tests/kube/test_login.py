"""Credentials that end: what is read anew at a real API server, how often, and what is told of it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.incluster_config import InClusterConfigLoader

from controller.errors import ObservationError
from controller.kube import login as login_module
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.kube.faults import KubeError, Refused, Unanswered
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ADMIN, ApiServer

ENDED = "ended-t0ken-7"
RENEW = "answered 401: .*; renew the token or the certificate that we show, or mend the login program"
PROGRAM = """\
#!/bin/sh
echo run >> runs
while [ -e hang ]; do sleep 0.02; done
[ -e broken ] && exit 3
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"%s}}' \
  "$(cat token)" "$(cat ends)"
"""


class Desk:
    """A kubeconfig file beside a token file and a login program, and clients that use either."""

    def __init__(self, folder: Path, server: ApiServer) -> None:
        self.folder = folder
        self._server = server
        self._made: list[KubeApi] = []
        self.token = ADMIN
        self.limit_seconds = 5.0
        (folder / "ends").write_text("")
        program = folder / "log-in"
        program.write_text(PROGRAM.replace("#!/bin/sh\n", f"#!/bin/sh\ncd '{folder}'\n"))
        program.chmod(0o700)

    @property
    def token(self) -> str:
        """What the file holds, or the login program gives."""
        return (self.folder / "token").read_text().strip()

    @token.setter
    def token(self, text: str) -> None:
        (self.folder / "token").write_text(f"{text}\n")

    def runs(self) -> int:
        """How often the login program was run."""
        return (self.folder / "runs").read_text().count("run")

    def reading(self, url: str | None = None) -> KubeApi:
        """A client whose kubeconfig names the token file."""
        return self.client(f"tokenFile: '{self.folder / 'token'}'", url)

    def running(self) -> KubeApi:
        """A client whose kubeconfig names the login program."""
        version = "client.authentication.k8s.io/v1"
        return self.client(f"exec: {{command: '{self.folder / 'log-in'}', apiVersion: {version}}}")

    def client(self, user: str, url: str | None = None) -> KubeApi:
        """A client for a user as a kubeconfig has it."""
        file = self.folder / "kubeconfig"
        cluster = f"{{server: '{url or self._server.url}', certificate-authority: {self._server.certificate}}}"
        file.write_text(
            "apiVersion: v1\nkind: Config\n"
            f"clusters: [{{name: here, cluster: {cluster}}}]\nusers: [{{name: us, user: {{{user}}}}}]\n"
            "contexts: [{name: fleet, context: {cluster: here, user: us}}]\n"
        )
        return self.opened(partial(connect, Where("fleet", file)))

    def opened(self, made: Callable[[], ApiClient]) -> KubeApi:
        """A client that logs in so."""
        self._made.append(KubeApi(made, "context fleet", self.limit_seconds))
        return self._made[-1]

    def close(self) -> None:
        """Let every client go, and every login program end."""
        (self.folder / "hang").unlink(missing_ok=True)
        for each in self._made:
            each.close()


@pytest.fixture
def desk(kubernetes: ApiServer, tmp_path: Path) -> Iterator[Desk]:
    """Where credentials are renewed."""
    made = Desk(tmp_path, kubernetes)
    yield made
    made.close()


@pytest.fixture
def at_once() -> Iterator[None]:
    """Lets one login follow another at once, for one test."""
    before = login_module.AGAIN_SECONDS
    login_module.AGAIN_SECONDS = 0.0
    yield
    login_module.AGAIN_SECONDS = before


@pytest.fixture
def hangs_soon() -> Iterator[None]:
    """Takes a login for one that hangs as soon as somebody waited for it, for one test."""
    before = login_module.FIRST_SECONDS_MAX, login_module.HANGS_SECONDS
    login_module.FIRST_SECONDS_MAX, login_module.HANGS_SECONDS = 0.1, 0.05
    yield
    login_module.FIRST_SECONDS_MAX, login_module.HANGS_SECONDS = before


class Hanging:
    """Logs in with the token file; some logins hang until they are let go, with the token that there was before."""

    def __init__(self, desk: Desk, kubernetes: ApiServer, *, hang: int) -> None:
        self.goes_on = threading.Event()
        self.begun = 0
        self._hang = hang
        file = desk.folder / "kubeconfig-of-hanging"
        text = kubernetes.kubeconfig().read_text()
        file.write_text(text.replace("token: admin-token", f"tokenFile: '{desk.folder / 'token'}'"))
        self._connect = partial(connect, Where("fleet", file))

    def connect(self) -> ApiClient:
        """Log in."""
        self.begun += 1
        made = self._connect()
        if self.begun <= self._hang:
            self.goes_on.wait(60)
        return made

    def end(self) -> None:
        """Let all that hang go on to their end."""
        self.goes_on.set()
        for thread in threading.enumerate():
            if thread.name == "login-context fleet":
                thread.join(60)


WAYS = pytest.mark.parametrize("how", [Desk.reading, Desk.running], ids=["token file", "login program"])


@WAYS
@pytest.mark.usefixtures("at_once")
def test_a_token_that_ended_is_renewed_without_a_restart(desk: Desk, how: Callable[[Desk], KubeApi]) -> None:
    """
    Until somebody does that it is refused, with what to do; the token stands in no sentence.
    """
    desk.token = ENDED
    api = how(desk)
    for _ in range(2):
        with pytest.raises(Refused, match=RENEW) as refused:
            api.get("/api/v1/namespaces")
        assert 401 == refused.value.status
        assert not refused.value.may_have_arrived
        assert ENDED not in str(refused.value)

    desk.token = ADMIN
    assert "items" in json.loads(api.get("/api/v1/namespaces"))


@pytest.mark.usefixtures("at_once")
def test_a_server_that_takes_a_token_no_more_is_shown_the_next_one(
    desk: Desk, kubernetes: ApiServer, proxy: FaultProxy
) -> None:
    """
    Within the very call, a write too: it is sent twice, and done once. Where the next one is no good, the one after is.
    """
    del kubernetes
    api = desk.reading(proxy.url)
    proxy.refuse("POST", "configmaps", 401)
    made = json.loads(api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"generateName": "login-"}}))
    assert made["metadata"]["name"].startswith("login-")
    assert 2 == len(proxy.asked("POST", "configmaps"))

    desk.token = ENDED
    proxy.refuse("GET", "/version", 401)
    with pytest.raises(Refused, match=RENEW):
        api.get("/version")
    desk.token = ADMIN
    api.get("/version")


@pytest.mark.parametrize("ends", [None, "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_login_program_runs_when_its_token_is_refused_and_at_no_other_time(desk: Desk, ends: str | None) -> None:
    """
    Whatever it says of the end of its token: one that was kept and ends soon would cost a run for every call.
    """
    if ends is not None:
        (desk.folder / "ends").write_text(f', "expirationTimestamp": "{ends}"')
    api = desk.running()
    for _ in range(5):
        api.get("/api")
    assert 1 == desk.runs()

    desk.token = ENDED
    other = desk.running()
    desk.token = ADMIN
    for _ in range(5):
        other.get("/api/v1/namespaces")
    assert 3 == desk.runs()


def test_a_server_that_refuses_whatever_we_show_costs_one_login_for_all(desk: Desk) -> None:
    """
    Many threads, many calls: each is refused, and they run one login program in some seconds.
    """
    desk.token = ENDED
    began = time.monotonic()
    api = desk.running()

    def ask(number: int) -> bool:
        del number
        with pytest.raises(Refused, match=RENEW):
            api.get("/api/v1/namespaces")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))
    assert 2 <= desk.runs() <= 2 + (time.monotonic() - began) / login_module.AGAIN_SECONDS


def test_a_login_program_that_hangs_keeps_nobody_for_longer_than_its_limit(desk: Desk) -> None:
    """
    Neither whoever opens the connection nor whoever calls; it is run once, and what it comes to counts.
    """
    (desk.folder / "hang").touch()
    desk.limit_seconds = 1.0
    began = time.monotonic()
    api = desk.running()
    with ThreadPoolExecutor(4) as pool:
        for outcome in [pool.submit(api.get, "/api") for _ in range(4)]:
            with pytest.raises(Unanswered, match="logging in takes too long; check the login program") as hung:
                outcome.result()
            assert not hung.value.may_have_arrived
    assert time.monotonic() - began < login_module.FIRST_SECONDS_MAX + desk.limit_seconds + 2

    (desk.folder / "hang").unlink()
    assert b"APIVersions" in api.get("/api")
    assert 1 == desk.runs()


@pytest.mark.usefixtures("hangs_soon")
def test_a_login_that_hangs_once_is_followed_by_another_and_what_it_comes_to_counts_no_more(
    desk: Desk, kubernetes: ApiServer
) -> None:
    """
    Its source is read again without a restart; the token that it found long ago is not shown to anybody.
    """
    desk.token = ENDED
    hanging = Hanging(desk, kubernetes, hang=1)
    api = desk.opened(hanging.connect)
    desk.token = ADMIN
    assert "items" in json.loads(api.get("/api/v1/namespaces"))

    hanging.end()
    assert "items" in json.loads(api.get("/api/v1/namespaces"))
    assert 2 == hanging.begun


@pytest.mark.usefixtures("hangs_soon")
def test_only_so_many_logins_hang_at_once(desk: Desk, kubernetes: ApiServer) -> None:
    """
    However often somebody calls: each holds a thread; once they end, the newest of them counts.
    """
    hanging = Hanging(desk, kubernetes, hang=100)
    desk.limit_seconds = 0.1
    api = desk.opened(hanging.connect)
    for _ in range(2 * login_module.HANGING_MAX):
        with pytest.raises(Unanswered, match="logging in takes too long"):
            api.get("/api")
    assert login_module.HANGING_MAX == hanging.begun

    hanging.end()
    desk.limit_seconds = 10.0
    assert b"APIVersions" in api.get("/api")
    assert login_module.HANGING_MAX == hanging.begun


def test_a_slow_login_that_fails_is_told_to_whoever_calls(desk: Desk) -> None:
    """
    To all of them, also to those who come after; the next login is tried some seconds later.
    """
    ended = threading.Event()
    logins = []

    def fail_slowly() -> ApiClient:
        logins.append(1)
        ended.wait(30)
        raise ObservationError("context fleet: the file is gone")

    api = desk.opened(fail_slowly)
    ended.set()
    for _ in range(3):
        with pytest.raises(Unanswered, match="context fleet: the file is gone") as failed:
            api.get("/version")
        assert not failed.value.may_have_arrived
    assert [1] == logins


@pytest.mark.usefixtures("at_once")
def test_a_login_program_that_fails_leaves_us_nobody_until_it_is_mended(desk: Desk) -> None:
    """
    Nobody is forbidden things (403), which is no reason to stay nobody.
    """
    (desk.folder / "broken").touch()
    api = desk.running()
    with pytest.raises(Refused, match=r'403: .*User "system:anonymous" cannot .*; renew the token'):
        api.get("/api/v1/namespaces")

    (desk.folder / "broken").unlink()
    assert "items" in json.loads(api.get("/api/v1/namespaces"))


def test_a_token_file_that_is_gone_is_told_and_read_once_it_is_back(desk: Desk, proxy: FaultProxy) -> None:
    """
    What was known before is still shown to the server, which alone decides.
    """
    api = desk.reading(proxy.url)
    (desk.folder / "token").unlink()
    proxy.refuse("GET", "/version", 401)
    with pytest.raises(Unanswered, match=r"context fleet of .*kubeconfig: No such file or directory"):
        api.get("/version")
    api.get("/version")

    with pytest.raises(ObservationError, match="No such file or directory"):
        desk.reading(proxy.url)


def test_what_cannot_be_sent_as_a_token_is_told_without_it(desk: Desk) -> None:
    """
    Such as two of them in one file.
    """
    desk.token = f"{ENDED}\n{ENDED}"
    api = desk.reading()

    with pytest.raises(KubeError, match="context fleet: the token cannot be read, or is none") as wrong:
        api.get("/version")
    assert ENDED not in str(wrong.value)
    assert wrong.value.__cause__ is None


@pytest.mark.usefixtures("at_once")
def test_the_token_of_a_pod_is_read_anew(desk: Desk, kubernetes: ApiServer) -> None:
    """
    The file is replaced long before the token ends; where that was not seen, the refusal tells.
    """
    host, _, port = kubernetes.url.removeprefix("https://").partition(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    loader = partial(
        InClusterConfigLoader, str(desk.folder / "token"), str(kubernetes.certificate), environ=environment
    )

    def connect_as_pod() -> ApiClient:
        settings = Configuration()
        loader().load_and_set(settings)  # type: ignore[no-untyped-call]
        settings.retries = False
        return ApiClient(settings)

    desk.token = ENDED
    api = desk.opened(connect_as_pod)
    with pytest.raises(Refused, match=RENEW):
        api.get("/api/v1/namespaces")
    desk.token = ADMIN
    assert "items" in json.loads(api.get("/api/v1/namespaces"))
