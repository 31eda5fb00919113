"""Finding an API server: what a kubeconfig file may be wrong in, and that no secret of it is ever told."""

from pathlib import Path

import pytest

from controller.errors import ObservationError
from controller.kube.connection import Where, connect

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
