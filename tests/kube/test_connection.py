"""Finding an API server: what a kubeconfig file may be wrong in, and that no secret of it is ever told."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from controller.errors import ObservationError
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer
from tests.real.ssh_server import free_port

SECRET = "s3cret-t0ken"
GOOD = f"""\
apiVersion: v1
kind: Config
current-context: eu
clusters: [{{name: here, cluster: {{server: "https://127.0.0.1:1"}}}}]
users: [{{name: ana, user: {{token: {SECRET}}}}}]
contexts: [{{name: eu, context: {{cluster: here, user: ana}}}}]
"""


def test_a_context_is_found_by_its_name_or_as_the_present_one(tmp_path: Path) -> None:
    """
    Its server and its token are the client's.
    """
    file = tmp_path / "config"
    file.write_text(GOOD)
    for where in (Where("eu", file), Where(None, file)):
        settings = connect(where).configuration
        assert "https://127.0.0.1:1" == settings.host
        assert f"Bearer {SECRET}" == settings.get_api_key_with_prefix("BearerToken", alias="authorization")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "check the kubeconfig file"),
        (GOOD.replace("name: eu", "name: us"), "check the kubeconfig file"),
        (GOOD.replace("current-context: eu", "current-context: [eu"), "the kubeconfig file is no YAML"),
        (f"- {SECRET}\n", "kubeconfig file"),
        ("", "kubeconfig file"),
        pytest.param(
            GOOD.replace(":1", ':1", proxy-url: "socks5://127.0.0.1:1'),
            "the address of the proxy cannot be used",
            marks=pytest.mark.filterwarnings("ignore:SOCKS support"),
        ),
        (GOOD.replace(":1", ':1", proxy-url: "nowhere://127.0.0.1'), "the address of the proxy cannot be used"),
        (GOOD.replace("token:", "tokenFile:"), "No such file or directory"),
        (GOOD.replace("user: {token: s3cret-t0ken}", "token: s3cret-t0ken"), "Expected key user in"),
        (GOOD.replace("{token: s3cret-t0ken}", "s3cret-t0ken"), "kubeconfig file"),
    ],
    ids=[
        "no file",
        "no such context",
        "no YAML",
        "a list",
        "empty",
        "SOCKS",
        "no proxy",
        "no token file",
        "no user",
        "no fields",
    ],
)
def test_what_is_wrong_with_a_kubeconfig_file_is_told_without_its_secrets(
    content: str | None, sentence: str, tmp_path: Path
) -> None:
    """
    With the file and the context that was looked for.
    """
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ObservationError, match=sentence) as wrong:
        connect(Where("eu", file))

    assert f"context eu of {file}" in str(wrong.value)
    assert SECRET not in str(wrong.value)


def test_outside_of_a_cluster_the_own_one_is_not_there() -> None:
    """
    No context is named, and no service account is mounted.
    """
    with pytest.raises(ObservationError, match=r"the cluster that we run in: .*service account"):
        connect(Where())


def _is_away(proxy: FaultProxy) -> str:
    del proxy
    return f"https://127.0.0.1:{free_port()}/{SECRET}"


def _has_no_tokens(proxy: FaultProxy) -> str:
    told = {"token_endpoint": f"https://127.0.0.1:{free_port()}/{SECRET}"}
    proxy.answer("GET", "openid-configuration", 200, json.dumps(told).encode())
    return proxy.url


def _forgot_us(proxy: FaultProxy) -> str:
    told = {"token_endpoint": f"{proxy.url}/token"}
    proxy.answer("GET", "openid-configuration", 200, json.dumps(told).encode())
    said = {"error": "invalid_grant", "error_description": f"{SECRET} is revoked"}
    proxy.answer("POST", "/token", 400, json.dumps(said).encode())
    return proxy.url


@pytest.mark.parametrize(
    ("provider", "kind"),
    [(_is_away, "MaxRetryError"), (_has_no_tokens, "ConnectionError"), (_forgot_us, "InvalidGrantError")],
)
def test_a_login_that_fails_in_whatever_way_is_told_by_its_kind_alone(
    kubernetes: ApiServer, proxy: FaultProxy, provider: Callable[[FaultProxy], str], kind: str, tmp_path: Path
) -> None:
    """
    Identity providers are asked by other libraries, whose errors are their own and quote what was sent.
    """
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in ({"alg": "n"}, {"exp": 1000}))
    file = tmp_path / "config"
    settings = {
        "client-id": "us",
        "client-secret": SECRET,
        "id-token": ".".join((*(each.rstrip("=") for each in parts), "signed")),
        "refresh-token": SECRET,
        "idp-issuer-url": provider(proxy),
        "idp-certificate-authority": str(kubernetes.certificate),
    }
    user = json.dumps({"auth-provider": {"name": "oidc", "config": settings}})
    file.write_text(GOOD.replace(f"{{token: {SECRET}}}", user))
    where = Where("eu", file)

    with pytest.raises(ObservationError, match=rf"context eu of .*: logging in failed \({kind}\); check the ") as wrong:
        KubeApi(partial(connect, where), str(where), 10.0)

    assert SECRET not in str(wrong.value)
