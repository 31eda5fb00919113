"""Real brokers that ask who we are, and that we ask who they are: what goes wrong is told, and no secret with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from controller.brokers.access import Access, Login, Reach, Sasl, Tls
from controller.fleets.kafka_health import KafkaHealth
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading, Unknown
from tests.builders import a_reading
from tests.real.kafka import HOST, Kafka, Shape
from tests.real.kafka_certificates import Authority

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PASSWORD = "quite-secret-9"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_watcher="{PASSWORD}";'
_LISTENERS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "LOGIN": "SASL_SSL",
    "OPEN": "SASL_PLAINTEXT",
}
_RIGHTS = (("CLUSTER", "kafka-cluster", "DESCRIBE"), ("TOPIC", "*", "DESCRIBE"), ("TOPIC", "*", "DESCRIBE_CONFIGS"))


@dataclass(frozen=True)
class World:
    """One broker with a listener for each way to come in, and what a client needs for them."""

    kafka: Kafka
    authority: Authority
    stranger: Authority

    def examine(self, listener: str, access: Access, groups: tuple[str, ...] = ()) -> Reading | Unknown:
        """One look by one listener; no thread may be left after it."""
        reach = Reach(self.kafka.listening(listener), access)
        before = set(threading.enumerate())
        cluster = ObservedCluster("eu/a", {}, a_reading(self.kafka.shape.release))
        observed = KafkaHealth(lambda _: reach, {}, 10).examine(cluster, Health(consumer_groups=groups))
        assert set(threading.enumerate()) <= before
        return observed

    def why(self, listener: str, access: Access, groups: tuple[str, ...] = ()) -> str:
        """Why the cluster is unknown, without the address in front; nothing secret stands in it."""
        observed = self.examine(listener, access, groups)
        assert isinstance(observed, Unknown), observed
        assert PASSWORD not in observed.why
        port = self.kafka.nodes[1].ports[listener]
        return observed.why.removeprefix("no broker answers: ").removeprefix(f"{HOST}:{port}: ")

    @property
    def tls(self) -> Tls:
        """What trusts the broker."""
        return Tls(self.authority.certificate)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The broker; its users may do nothing until a test lets them, but for the plain listener's, who may do all."""
    folder = tmp_path_factory.mktemp("access")
    authority, stranger = Authority(folder / "certificates"), Authority(folder / "strangers", "stranger")
    stores = {
        "TLS": authority.keystore("broker"),
        "EXPIRED": authority.keystore("expired", days=-1),
        "ELSEWHERE": authority.keystore("elsewhere", alternatives="DNS:elsewhere.example"),
    }
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM,
        "listener.name.login.plain.sasl.jaas.config": _PLAIN,
        "listener.name.open.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.open.plain.sasl.jaas.config": _PLAIN,
    }
    for name in ("TLS", "MUTUAL", "EXPIRED", "ELSEWHERE", "LOGIN"):
        own = f"listener.name.{name.lower()}.ssl"
        properties |= {
            f"{own}.keystore.type": "PEM",
            f"{own}.keystore.location": str(stores.get(name, stores["TLS"])),
            f"{own}.truststore.type": "PEM",
            f"{own}.truststore.location": str(authority.certificate),
        }
    shape = Shape(listeners=_LISTENERS, properties=properties, users=[("watcher", PASSWORD)])
    with Kafka(folder / "kafka", shape) as kafka:
        with kafka.admin() as admin:
            topics = {name: {"num_partitions": 1, "replication_factor": 1} for name in ("orders", "payments")}
            admin.create_topics(topics, wait_for_metadata=True)
        kafka.commit("somebody", "orders", 0)
        yield World(kafka, authority, stranger)


def login(mechanism: Sasl, password: str = PASSWORD, username: str = "watcher") -> Login:
    """The name and the password of the one user there is."""
    return Login(mechanism, username, lambda: password)


@contextmanager
def allowed(kafka: Kafka, *rights: tuple[str, str, str], user: str = "watcher") -> Iterator[None]:
    """Give the user these rights within the block."""
    from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

    acls = [
        ACL(
            f"User:{user}",
            "*",
            ACLOperation[operation],
            ACLPermissionType.ALLOW,
            ResourcePattern(ResourceType[kind], on),
        )
        for kind, on, operation in rights
    ]
    with kafka.admin() as admin:
        admin.create_acls(acls)
        try:
            yield
        finally:
            admin.delete_acls(acls)


@pytest.mark.parametrize("mechanism", [Sasl.SCRAM_512, Sasl.PLAIN])
def test_a_user_with_the_rights_of_the_docs_sees_everything(world: World, mechanism: Sasl) -> None:
    """
    By TLS and a password: Describe on the cluster and on topics, DescribeConfigs on topics, Describe on a group.
    """
    with allowed(world.kafka, *_RIGHTS, ("GROUP", "billing", "DESCRIBE")):
        observed = world.examine("LOGIN", Access(world.tls, login(mechanism)), ("billing",))

    assert isinstance(observed, Reading), observed
    assert {"rf1_topics", "quorum_size"} == {finding.id for finding in observed.findings}
    assert {"billing": 0} == observed.lag


def test_a_password_without_tls_is_taken_too(world: World) -> None:
    """
    Where the brokers want it so.
    """
    with allowed(world.kafka, *_RIGHTS):
        assert isinstance(world.examine("OPEN", Access(login=login(Sasl.PLAIN))), Reading)


def test_a_client_certificate_says_who_we_are(world: World) -> None:
    """
    Without one the broker hangs up, which is told as that.
    """
    certificate, key = world.authority.issue("watcher")
    with allowed(world.kafka, *_RIGHTS, user="CN=watcher"):
        observed = world.examine("MUTUAL", Access(Tls(world.authority.certificate, certificate, key)))

    assert isinstance(observed, Reading), observed
    assert world.why("MUTUAL", Access(world.tls)).startswith("does not accept our certificate (")
    foreign, its_key = world.stranger.issue("watcher")
    assert world.why("MUTUAL", Access(Tls(world.authority.certificate, foreign, its_key))).startswith(
        "does not accept our certificate ("
    )


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        ("EXPIRED", "its certificate is refused (certificate has expired): renew it"),
        (
            "ELSEWHERE",
            "its certificate is refused (ip address mismatch, certificate is not valid for '127.0.0.1'): use",
        ),
        ("PLAIN", "speaks no TLS there ("),
    ],
)
def test_a_broker_that_does_not_prove_who_it_is_is_not_asked(world: World, listener: str, why: str) -> None:
    """
    An expired certificate, another's name, no certificate at all: each with what to do about it.
    """
    assert world.why(listener, Access(world.tls)).startswith(why)


def test_an_authority_that_is_not_ours_is_told(world: World) -> None:
    """
    The wrong file of authorities, or none where the system's do not know it.
    """
    for authorities in (world.stranger.certificate, None):
        why = world.why("TLS", Access(Tls(authorities)))

        assert why.startswith("its certificate is refused (unable to get local issuer certificate"), why
        assert why.endswith("): give the file of the authority that it comes from")


def test_plain_words_to_a_port_that_speaks_tls_are_told(world: World) -> None:
    """
    Kafka hangs up, or answers by an alert.
    """
    assert "TLS" in world.why("TLS", Access())


@pytest.mark.parametrize("mechanism", [Sasl.SCRAM_512, Sasl.PLAIN])
def test_a_wrong_password_is_told_and_not_tried_again(world: World, mechanism: Sasl) -> None:
    """
    With the user's name, and without the password.
    """
    access = Access(world.tls, login(mechanism, "wrong-one"))

    why = world.why("LOGIN", access)

    assert f"does not take the password of 'watcher' by {mechanism}: check both" == why
    assert "wrong-one" not in why


def test_a_login_that_the_listener_does_not_want_is_told(world: World) -> None:
    """
    Another mechanism, a login where none is asked for, and none where one is.
    """
    assert "takes no login by SCRAM-SHA-256, but by PLAIN, SCRAM-SHA-512" == world.why(
        "LOGIN", Access(world.tls, login(Sasl.SCRAM_256))
    )
    assert "takes no login there: use its SASL port, or no user name for this cluster" == world.why(
        "PLAIN", Access(login=login(Sasl.PLAIN))
    )
    assert "hangs up: it stops, or wants a login (give this cluster a user name and password)" == world.why(
        "OPEN", Access()
    )


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        (_RIGHTS[0], "Describe on Cluster"),
        (_RIGHTS[1], "Describe on Topic "),
        (_RIGHTS[2], "DescribeConfigs on Topic "),
        (("GROUP", "billing", "DESCRIBE"), "Describe on Group billing"),
    ],
)
def test_a_right_that_is_missing_makes_the_cluster_unknown(
    world: World, left_out: tuple[str, str, str], missing: str
) -> None:
    """
    Safety: who may not see everything does not judge; also where Kafka simply leaves out what may not be seen.
    """
    rights = [right for right in (*_RIGHTS, ("GROUP", "billing", "DESCRIBE")) if right != left_out]
    with allowed(world.kafka, *rights):
        why = world.why("LOGIN", Access(world.tls, login(Sasl.PLAIN)), ("billing",))

    assert why.startswith("its brokers do not allow all questions: missing are "), why
    assert missing in why
    assert why.endswith("; give our user these rights")


def test_a_topic_that_may_not_be_seen_is_noticed(world: World) -> None:
    """
    Safety: Kafka does not tell that it left one out of the list; its replicas on the disks do.
    """
    some = [right for right in _RIGHTS if right != ("TOPIC", "*", "DESCRIBE")]
    with allowed(world.kafka, *some, ("TOPIC", "orders", "DESCRIBE")):
        why = world.why("LOGIN", Access(world.tls, login(Sasl.PLAIN)))

    assert "missing are Describe on" in why
    assert "Topic payments" in why
    assert "Topic orders" not in why
