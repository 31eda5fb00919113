"""``wavefleet check``: what the daemon will need, tried one by one."""

import shutil

from controller.external.prometheus import UNSET
from controller.external.webhook import UNSIGNED
from tests.builders_repository import group_text
from tests.cli.worlds import FLEET, INVALID, STAGING, Desk
from tests.fakes.gate_servers import TOKEN, FakePrometheus
from tests.real.kubernetes import ApiServer


def test_everything_that_is_there_is_ok(desk: Desk) -> None:
    """
    Repository, declaration, ledger, each source and each channel, with what was found.
    """
    printed = desk.read("check", "check")

    names = [it["name"] for it in printed]
    assert ["repository", "declaration", "ledger", "source try", "channel notes", "channel log"] == names
    assert all(it["ok"] for it in printed), printed
    assert "ok      source try: 8 clusters" in desk.run("check").out


def test_what_is_missing_is_told_and_the_rest_is_tried(desk: Desk) -> None:
    """
    One failure hides no other, and says what to do.
    """
    shutil.rmtree(desk.repository.bare)

    printed = desk.read("check", "check", code=4)

    found = {it["name"]: it["ok"] for it in printed}
    assert {"repository": False, "ledger": True, "channel notes": False, "channel log": True} == found
    assert "MISSING repository: " in desk.run("check", code=4).out


def test_an_invalid_head_is_found(desk: Desk) -> None:
    """
    With its problems.
    """
    desk.publish({STAGING: INVALID})

    assert f"MISSING declaration: {STAGING}:1: " in desk.run("check", code=4).out


def test_a_channel_without_its_setting_is_found(desk: Desk) -> None:
    """
    A token without a channel says nothing to anybody.
    """
    desk.settings["slack_token"] = "xoxb-of-the-test"

    assert "MISSING channels: WAVEFLEET_SLACK_CHANNEL: found nothing" in desk.run("check", code=4).out


def test_rights_that_a_kubernetes_source_lacks_are_told(desk: Desk, kubernetes: ApiServer) -> None:
    """
    Before they are needed; whoever may not read at all is told in the server's own words.
    """
    kubernetes.apply_all([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "checked"}}])
    rules = [{"apiGroups": ["kafka.strimzi.io"], "resources": ["kafkas"], "verbs": ["get", "list", "watch"]}]
    rbac, meta = "rbac.authorization.k8s.io", {"name": "checked", "namespace": "checked"}
    role = {"apiGroup": rbac, "kind": "Role", "name": "checked"}
    subjects = [{"apiGroup": rbac, "kind": "User", "name": "reader"}]
    kubernetes.apply_all([{"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules}])
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta}
    kubernetes.apply_all([{**binding, "roleRef": role, "subjects": subjects}])
    place = "type: strimzi, namespaces: [checked], context: fleet, kubeconfig"
    sources = (
        f"    - {{name: {user}, {place}: {kubernetes.kubeconfig(user)}}}" for user in ("admin", "reader", "person")
    )
    desk.publish({"fleet.yaml": "\n".join([FLEET.rstrip(), *sources, ""])})

    out = desk.run("check", code=4).out

    assert "ok      source admin: 0 clusters\n" in out
    assert "MISSING source reader: 0 clusters, but this controller may not patch kafkas.kafka.strimzi.io in" in out
    assert "MISSING source person: " in out
    assert 'answered 403: kafkas.kafka.strimzi.io is forbidden: User "person" cannot list resource "kafkas"' in out


def test_a_check_starts_nothing(desk: Desk) -> None:
    """
    No cycle, no notes, no simulated fleet.
    """
    desk.run("check")

    assert "" == desk.repository.notes("refs/notes/wavefleet", desk.repository.head)
    assert [] == [path.name for path in (desk.folder / "state").glob("*.simulated.json")]


def test_a_check_makes_no_ledger_where_there_was_none(desk: Desk) -> None:
    """
    Every other command knows by its absence that the path is mistyped; the daemon makes it.
    """
    ledger = desk.folder / "state" / "ledger.db"

    assert f"ok      ledger: {ledger}, not there yet; the daemon makes it\n" in desk.run("check").out

    assert [] == sorted((desk.folder / "state").glob("ledger*"))
    assert "found no ledger, expected one that a daemon made" in desk.run("status", code=4).err


def test_a_ledger_that_a_daemon_made_is_opened_by_a_check(desk: Desk) -> None:
    """
    It can be read and written, or is told to be held.
    """
    desk.run("cycle")

    assert f"ok      ledger: {desk.folder}/state/ledger.db, readable and writable\n" in desk.run("check").out


def test_a_folder_of_the_ledger_that_cannot_be_made_is_told(desk: Desk) -> None:
    """
    With the folder that stands in its way, before the daemon finds it out.
    """
    (desk.folder / "file").write_text("mine")
    desk.settings["ledger"] = str(desk.folder / "file" / "state" / "ledger.db")
    desk.settings["cache"] = str(desk.folder / "git")

    told = desk.run("check", code=4).out

    assert f"MISSING ledger: {desk.folder}/file/state/ledger.db: cannot be made: {desk.folder}/file: " in told
    assert "Not a directory" in told
    assert "mine" == (desk.folder / "file").read_text()


def test_prometheus_is_tried_where_it_is_set(desk: Desk) -> None:
    """
    With its token, and told with what to do where it does not answer.
    """
    with FakePrometheus(token=TOKEN) as prometheus:
        desk.settings |= {"prometheus_url": prometheus.origin, "prometheus_token": TOKEN}

        assert f"ok      prometheus: {prometheus.origin}, answers queries" in desk.run("check").out

    assert "MISSING prometheus: Prometheus at 127.0.0.1:" in desk.run("check", code=4).out


def test_what_declared_gates_need_is_looked_for(desk: Desk) -> None:
    """
    A declared gate without its setting would hold for ever; the check says what to set before it does.
    """
    prometheus = "{prometheus: {name: p99, query: up, below: 2}}"
    webhook = "{webhook: {name: calendar, url: 'https://hooks.example/'}}"
    gates = f"  gates:\n    - {prometheus}\n    - {webhook}\n"
    desk.publish({STAGING: group_text("staging", gates)})

    printed = desk.read("check", "check", code=4)

    assert {"prometheus": UNSET, "webhook": UNSIGNED} == {it["name"]: it["sentence"] for it in printed if not it["ok"]}
