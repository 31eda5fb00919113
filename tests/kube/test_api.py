"""Bounded calls to a real API server: what it answers, what it refuses, and what becomes of a server that hangs."""

import json
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.kube.faults import Refused, Unanswered
from tests.kube.conftest import Client
from tests.real.kubernetes import ApiServer

KAFKAS = "/apis/kafka.strimzi.io/v1/namespaces/default/kafkas"


def a_kafka(name: str, version: object = "4.1.2") -> dict[str, object]:
    """A resource that asks for a release."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "Kafka",
        "metadata": {"name": name},
        "spec": {"kafka": {"version": version}},
    }


def test_what_is_there_is_read_as_bytes(client: Client) -> None:
    """
    As the server sends it.
    """
    group = json.loads(client().get("/apis/kafka.strimzi.io"))

    assert {"v1", "v1beta2"} == {each["version"] for each in group["versions"]}


def test_a_patch_is_written_under_our_name_and_a_dry_run_is_not(client: Client) -> None:
    """
    The dry run answers with what would be.
    """
    api = client()
    api.create(KAFKAS, a_kafka("patched"))
    wish = {"spec": {"kafka": {"version": "4.3.1"}}}

    tried = json.loads(api.patch(f"{KAFKAS}/patched", wish, dry_run=True))
    assert "4.3.1" == tried["spec"]["kafka"]["version"]
    assert "4.1.2" == json.loads(api.get(f"{KAFKAS}/patched"))["spec"]["kafka"]["version"]

    written = json.loads(api.patch(f"{KAFKAS}/patched", wish))
    assert "4.3.1" == json.loads(api.get(f"{KAFKAS}/patched"))["spec"]["kafka"]["version"]
    assert {"wavefleet"} == {each["manager"] for each in written["metadata"]["managedFields"]}


def test_the_servers_own_sentence_is_told(client: Client) -> None:
    """
    With its status: not found, in conflict, invalid, not allowed.
    """
    api = client()
    api.create(KAFKAS, a_kafka("told"))
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"kafka": {"version": "4.3.1"}}}

    with pytest.raises(Refused, match=r'context fleet answered 404: kafkas.kafka.strimzi.io "gone" not found') as gone:
        api.get(f"{KAFKAS}/gone")
    with pytest.raises(Refused, match=r"409: .*the object has been modified") as conflict:
        api.patch(f"{KAFKAS}/told", stale)
    with pytest.raises(Refused, match=r"422: .*spec\.kafka\.version in body must be of type string") as invalid:
        api.create(KAFKAS, a_kafka("invalid", version=4))
    with pytest.raises(Refused, match=r'403: .*User "reader" cannot list resource "kafkas"') as forbidden:
        client("reader").get(KAFKAS)

    assert [404, 409, 422, 403] == [each.value.status for each in (gone, conflict, invalid, forbidden)]
    assert not any(each.value.is_temporary for each in (gone, conflict, invalid, forbidden))


def test_a_watch_yields_a_line_for_each_change(client: Client) -> None:
    """
    Until the server ends it.
    """
    api = client()
    token = json.loads(api.get(KAFKAS))["metadata"]["resourceVersion"]
    api.create(KAFKAS, a_kafka("seen"))
    query = {"watch": "true", "resourceVersion": token, "timeoutSeconds": "1"}

    events = [json.loads(line) for line in api.lines(KAFKAS, query, quiet_seconds=10)]

    assert [("ADDED", "seen")] == [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def test_a_server_that_hangs_is_given_up_in_time(tmp_path: Path) -> None:
    """
    A read says that it did not answer, a write that it may have arrived; one that is gone cannot be reached.
    """
    with ApiServer(tmp_path / "server") as server:
        api = KubeApi(partial(connect, Where("fleet", server.kubeconfig())), "context fleet", 1.0)
        api.get("/version")
        server.freeze()
        began = time.monotonic()
        with pytest.raises(Unanswered, match="context fleet did not answer in time") as hung:
            api.patch(f"{KAFKAS}/x", {"spec": {}})
        assert hung.value.may_have_arrived
        assert time.monotonic() - began < 5
        server.thaw()
        server.stop()
        with pytest.raises(Unanswered, match="context fleet cannot be reached") as gone:
            api.get("/version")
        assert not gone.value.may_have_arrived
        api.close()


def test_a_server_that_does_not_prove_itself_is_told_nothing(kubernetes: ApiServer, tmp_path: Path) -> None:
    """
    Another authority signed what it shows: no token is sent.
    """
    config = kubernetes.kubeconfig().read_text()
    other = tmp_path / "other.crt"
    other.write_bytes(_somebodys_certificate(tmp_path))
    file = tmp_path / "kubeconfig"
    file.write_text(config.replace(str(kubernetes.certificate), str(other)))
    api = KubeApi(partial(connect, Where("fleet", file)), "context fleet", 5.0)

    with pytest.raises(Unanswered, match="does not prove that it is the server that we know") as wrong:
        api.get("/version")
    assert not wrong.value.may_have_arrived


def test_a_token_that_is_not_good_any_more_is_refused(kubernetes: ApiServer, tmp_path: Path) -> None:
    """
    And stands in no sentence.
    """
    file = tmp_path / "kubeconfig"
    file.write_text(kubernetes.kubeconfig().read_text().replace("admin-token", "expired-token-7"))
    api = KubeApi(partial(connect, Where("fleet", file)), "context fleet", 5.0)

    with pytest.raises(Refused, match="answered 401") as refused:
        api.get("/version")
    assert "expired-token-7" not in str(refused.value)


def _somebodys_certificate(folder: Path) -> bytes:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=somebody"]
    subprocess.run(
        [*command, "-keyout", folder / "other.key", "-out", folder / "made.crt"], check=True, capture_output=True
    )
    return (folder / "made.crt").read_bytes()
