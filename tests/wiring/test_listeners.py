"""How the brokers of a cluster are reached: by the listeners of its source, and by credentials that only we have."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.brokers.access import Sasl
from controller.errors import ObservationError
from controller.model.declaration import Listener
from controller.model.observation import Endpoints, ObservedCluster
from controller.settings import Settings, load_settings
from controller.wiring.listeners import reach_of
from tests.builders import a_cluster

PLAIN = Listener("*", (), tls=False, sasl=None, credentials=None)
NAMED = ("{name}-kafka-bootstrap.{namespace}.svc:9093",)
PASSWORD = "correct-horse"
PATH_BYTES_MAX = 4095
"""As Linux has it."""


def a_live_cluster(name: str = "eu/kafka-a/orders", *bootstrap: str) -> ObservedCluster:
    """A cluster whose source tells these addresses."""
    return replace(a_cluster(name), endpoints=Endpoints(bootstrap))


def settings(folder: Path | None = None, **more: str) -> Settings:
    """Settings with a folder of credentials."""
    given = {} if folder is None else {"WAVEFLEET_KAFKA_CREDENTIALS": str(folder)}
    return load_settings({}, {**given, **{f"WAVEFLEET_{name.upper()}": text for name, text in more.items()}})


def credentials(folder: Path, **files: str) -> Path:
    """A set of credentials called ``eu``; ``_`` stands for a dot in a file's name."""
    (folder / "eu").mkdir()
    for name, text in files.items():
        (folder / "eu" / name.replace("_", ".")).write_text(text)
    return folder


def test_without_a_listener_the_sources_own_addresses_are_spoken_to_plainly() -> None:
    """
    As those of a lab.
    """
    reach = reach_of(settings(), {}, a_live_cluster("lab/lab-1", "127.0.0.1:9001"))

    assert ("127.0.0.1:9001",) == reach.bootstrap
    assert (None, None) == (reach.access.tls, reach.access.login)


def test_the_first_listener_that_fits_counts_and_is_filled_with_the_clusters_names() -> None:
    """
    Its pattern is of the name without the source; addresses in it go before those that the source tells.
    """
    listeners = {
        "eu": (replace(PLAIN, clusters="kafka-b/*"), replace(PLAIN, bootstrap=NAMED, tls=True), PLAIN),
        "us": (PLAIN,),
    }

    reach = reach_of(settings(), listeners, a_live_cluster("eu/kafka-a/orders", "10.0.0.1:9092"))
    assert ("orders-kafka-bootstrap.kafka-a.svc:9093",) == reach.bootstrap
    assert reach.access.tls is not None
    other = reach_of(settings(), listeners, a_live_cluster("eu/kafka-b/orders", "10.0.0.1:9092"))
    assert ("10.0.0.1:9092",) == other.bootstrap
    assert other.access.tls is None


@pytest.mark.parametrize(
    "listeners", [{}, {"eu": (PLAIN,)}, {"eu": (replace(PLAIN, clusters="other/*", bootstrap=NAMED),)}]
)
def test_a_cluster_whose_brokers_nobody_named_says_what_to_do(listeners: dict[str, tuple[Listener, ...]]) -> None:
    """
    Safety (unknown-holds): it is unknown, and the sentence names the two ways out.
    """
    with pytest.raises(ObservationError) as caught:
        reach_of(settings(), listeners, a_live_cluster())

    for words in ("where its brokers listen is not known", "source eu", "kafka-a/orders", "health: {brokers: off}"):
        assert words in str(caught.value)


def test_a_set_of_credentials_is_read_from_its_folder(tmp_path: Path) -> None:
    """
    Certificates by their paths, name and password as the one line that their files hold.
    """
    folder = credentials(tmp_path, ca_crt="", user_crt="", user_key="", username="wavefleet\n", password=PASSWORD)
    listener = Listener("*", NAMED, tls=True, sasl="SCRAM-SHA-512", credentials="eu")

    access = reach_of(settings(folder), {"eu": (listener,)}, a_live_cluster()).access

    assert access.tls is not None
    assert access.login is not None
    assert (folder / "eu/ca.crt", folder / "eu/user.crt", folder / "eu/user.key") == (
        access.tls.authorities,
        access.tls.certificate,
        access.tls.key,
    )
    assert (Sasl.SCRAM_512, "wavefleet", PASSWORD) == (
        access.login.mechanism,
        access.login.username,
        access.login.password(),
    )
    assert PASSWORD not in repr(access)


def test_what_a_set_lacks_is_taken_from_the_environment(tmp_path: Path) -> None:
    """
    Also where no set is named at all; without any authority of its own the system's count.
    """
    listener = Listener("*", NAMED, tls=True, sasl="PLAIN", credentials=None)
    known = settings(tmp_path, kafka_username="robot", kafka_password=PASSWORD)

    for named in (listener, replace(listener, credentials="eu")):
        if named.credentials:
            credentials(tmp_path)
        access = reach_of(known, {"eu": (named,)}, a_live_cluster()).access
        assert access.login is not None
        assert access.tls is not None
        assert ("robot", PASSWORD) == (access.login.username, access.login.password())
        assert access.tls.authorities is None


def test_a_renewed_password_counts_at_the_next_connection(tmp_path: Path) -> None:
    """
    It is read when it is needed, and not kept.
    """
    folder = credentials(tmp_path, username="wavefleet", password=PASSWORD)
    listener = Listener("*", NAMED, tls=False, sasl="PLAIN", credentials="eu")
    login = reach_of(settings(folder), {"eu": (listener,)}, a_live_cluster()).access.login
    assert login is not None
    assert PASSWORD == login.password()

    (folder / "eu/password").write_text("battery-staple\n")

    assert "battery-staple" == login.password()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (None, "found no folder"),
        ({"password": PASSWORD}, "ask for a user name: found none in"),
        ({"username": "wavefleet"}, "ask for a password: found none in"),
        ({"username": "wavefleet", "password": ""}, "password: found no single line of text"),
        ({"username": "wavefleet", "password": f"{PASSWORD}\n{PASSWORD}"}, "password: found no single line of text"),
        ({"username": "wavefleet", "password": PASSWORD * 1000}, "password: found no single line of text"),
        ({"username": "wave\x00fleet", "password": PASSWORD}, "username: found no single line of text"),
    ],
)
def test_what_is_wrong_with_credentials_is_told_without_them(
    tmp_path: Path, files: dict[str, str] | None, why: str
) -> None:
    """
    The sentence names the file or the variable, and shows nothing of what is in it.
    """
    folder = tmp_path if files is None else credentials(tmp_path, **files)
    listener = Listener("*", NAMED, tls=False, sasl="SCRAM-SHA-256", credentials="eu")

    with pytest.raises(ObservationError) as caught:
        log_in(settings(folder), listener)

    assert why in str(caught.value)
    assert PASSWORD not in str(caught.value)


def log_in(known: Settings, listener: Listener) -> str:
    """Find the password as a connection does."""
    login = reach_of(known, {"eu": (listener,)}, a_live_cluster()).access.login
    assert login is not None
    return login.password()


def test_credentials_without_a_folder_name_the_setting() -> None:
    """
    Whoever merged the listener may not run the controller.
    """
    with pytest.raises(ObservationError, match="credentials eu of its listener: set WAVEFLEET_KAFKA_CREDENTIALS"):
        reach_of(settings(), {"eu": (replace(PLAIN, bootstrap=NAMED, credentials="eu"),)}, a_live_cluster())


def the_long_way(folder: Path, file: str) -> Path:
    """A path to the same folder by which the system does not find ``eu/FILE``, since that path would be too long."""
    (folder / "x").mkdir()
    detours = (PATH_BYTES_MAX - len(f"{folder}/eu/{file}")) // len("/x/..") + 1
    return folder.joinpath(*["x", ".."] * detours)


def test_credentials_that_may_not_be_looked_at_are_told(tmp_path: Path) -> None:
    """
    What the system refuses to show is not absent: the sentence has its words. Root sees all but what is too long.
    """
    hidden = replace(PLAIN, bootstrap=NAMED, sasl="PLAIN", credentials="x" * 300)
    with pytest.raises(ObservationError) as caught:
        reach_of(settings(tmp_path), {"eu": (hidden,)}, a_live_cluster())
    assert f"{tmp_path}/{'x' * 300}: cannot be read: File name too long" == str(caught.value)

    folder = the_long_way(credentials(tmp_path, username="wavefleet"), "username")
    listener = replace(hidden, credentials="eu")
    with pytest.raises(ObservationError) as caught:
        reach_of(settings(folder), {"eu": (listener,)}, a_live_cluster())
    assert f"{folder}/eu/username: cannot be read: File name too long" == str(caught.value)
