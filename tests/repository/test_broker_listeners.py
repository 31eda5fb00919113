"""How brokers are reached, as people write it: what is read, and what can never work."""

from pathlib import Path

import pytest

from controller.model.declaration import Listener
from tests.builders_repository import FleetFiles


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A small valid fleet."""
    return FleetFiles(tmp_path)


def test_listeners_are_read_in_their_order(files: FleetFiles) -> None:
    """
    All of it is optional: an empty one stands for the source's own addresses, spoken to plainly.
    """
    _, source = (
        files.fleet(
            "    - name: eu\n"
            "      type: strimzi\n"
            "      listeners:\n"
            '        - {clusters: kafka-*/orders-*, bootstrap: ["{name}-kafka-bootstrap.{namespace}.svc:9093"],\n'
            "           tls: true, sasl: SCRAM-SHA-512, credentials: eu}\n"
            "        - {}\n"
        )
        .load()
        .sources
    )

    first = Listener(
        clusters="kafka-*/orders-*",
        bootstrap=("{name}-kafka-bootstrap.{namespace}.svc:9093",),
        tls=True,
        sasl="SCRAM-SHA-512",
        credentials="eu",
    )
    assert (first, Listener("*", (), tls=False, sasl=None, credentials=None)) == source.listeners


@pytest.mark.parametrize(
    ("listener", "field", "found"),
    [
        ("{bootstrap: [kafka]}", "bootstrap[0]", "'kafka'"),
        ("{bootstrap: ['{cluster}:9092']}", "bootstrap[0]", "'{cluster}:9092'"),
        ("{sasl: GSSAPI}", "sasl", "'GSSAPI'"),
        ("{tls: yes}", "tls", "'yes'"),
        ("{tls: true, credentials: ../eu}", "credentials", "'../eu'"),
        ("{credentials: eu}", "credentials", "credentials for brokers that ask for none"),
        ("{password: secret}", "password", "an unknown field 'password'"),
    ],
)
def test_what_is_wrong_with_a_listener_is_told_at_its_line(
    files: FleetFiles, listener: str, field: str, found: str
) -> None:
    """
    No path leads out of the folder of credentials, and no password has a place in Git.
    """
    (problem,) = files.fleet(f"    - {{name: eu, type: strimzi, listeners: [{listener}]}}\n").problems()

    assert f"spec.sources[1].listeners[0].{field}" == problem.field
    assert found in problem.found


def test_a_simulated_source_has_no_listeners(files: FleetFiles) -> None:
    """
    It has no brokers.
    """
    more = "    - {name: more, type: simulated, inventory: simulation/clusters.yaml, listeners: [{}]}\n"

    (problem,) = files.fleet(more).problems()
    assert "no such field: it belongs to lab and strimzi sources" == problem.expected


def source(kind: str, listeners: str) -> str:
    """A second source with these listeners, in line 7 of the file."""
    place = "directory: /lab, " if kind == "lab" else ""
    return f"    - {{name: eu, type: {kind}, {place}listeners: [{listeners}]}}\n"


@pytest.mark.parametrize(
    "address",
    [
        "a:0",
        "a:00000",
        "a:65536",
        "a:99999",
        "-:9092",
        "-a.example:9092",
        "a-.example:9092",
        "..:9092",
        ".:9092",
        ".a:9092",
        "a..b:9092",
        "{name}..svc:9092",
        f"{'a' * 64}:9092",
        f"{'a' * 63}{{name}}:9092",
        f"{'a.' * 127}a:9092",
    ],
)
def test_an_address_that_can_never_work_is_refused(files: FleetFiles, address: str) -> None:
    """
    No such port, or no such name of a host: told at its line, before anybody waits for an answer.
    """
    (problem,) = files.fleet(source("strimzi", f'{{bootstrap: [ok:9092, "{address}"]}}')).problems()

    assert ("fleet.yaml", 7, "spec.sources[1].listeners[0].bootstrap[1]") == (problem.file, problem.line, problem.field)
    assert "HOST:PORT" in problem.expected


@pytest.mark.parametrize(
    "address",
    [
        "a:1",
        "a:65535",
        "a:09092",
        "10.0.0.1:9092",
        "a.example.:9092",
        "A-b.Example:9092",
        f"{'a' * 63}.example:9092",
        "{name}:9092",
        "{name}-kafka-bootstrap.{namespace}.svc:9093",
        "b-{name}.{namespace}:9093",
        "{namespace}-{name}.example:9093",
    ],
)
def test_an_address_that_can_work_is_taken_as_it_is_written(files: FleetFiles, address: str) -> None:
    """
    Names, numbers, and both words that stand for the cluster's own.
    """
    _, eu = files.fleet(source("strimzi", f'{{bootstrap: ["{address}"]}}')).load().sources

    assert (address,) == eu.listeners[0].bootstrap


def test_a_lab_has_no_namespaces_to_put_into_an_address(files: FleetFiles) -> None:
    """
    Nothing would stand in its place.
    """
    (problem,) = files.fleet(source("lab", '{bootstrap: ["{namespace}:9092"]}')).problems()

    assert "spec.sources[1].listeners[0].bootstrap[0]" == problem.field
    assert "'{namespace}:9092'" == problem.found
    assert "an address without {namespace}: a cluster of a lab has none" == problem.expected
    files.fleet(source("lab", '{bootstrap: ["{name}.example:9092"]}')).load()


@pytest.mark.parametrize(
    ("kind", "clusters"),
    [
        ("strimzi", "orders-1"),
        ("strimzi", "kafka/orders/1"),
        ("strimzi", "/orders-1"),
        ("strimzi", "kafka/"),
        ("lab", "kafka/*"),
        ("lab", "kafka/orders-1"),
    ],
)
def test_a_pattern_that_fits_no_cluster_is_refused(files: FleetFiles, kind: str, clusters: str) -> None:
    """
    Clusters of a strimzi source are NAMESPACE/NAME, those of a lab have a name alone.
    """
    (problem,) = files.fleet(source(kind, f"{{clusters: {clusters}}}")).problems()

    assert ("fleet.yaml", 7, "spec.sources[1].listeners[0].clusters") == (problem.file, problem.line, problem.field)
    assert f"'{clusters}'" == problem.found
    assert ("NAMESPACE/NAME" if kind == "strimzi" else "of a lab") in problem.expected


@pytest.mark.parametrize(
    ("kind", "clusters"),
    [
        ("strimzi", "'*'"),
        ("strimzi", "kafka/orders-1"),
        ("strimzi", "'kafka-*/orders-?'"),
        ("strimzi", "'*/orders-1'"),
        ("strimzi", "'*orders*'"),
        ("lab", "'*'"),
        ("lab", "orders-1"),
        ("lab", "'orders-*'"),
    ],
)
def test_a_pattern_that_may_fit_a_cluster_is_taken(files: FleetFiles, kind: str, clusters: str) -> None:
    """
    A star stands for a slash, too.
    """
    _, eu = files.fleet(source(kind, f"{{clusters: {clusters}}}")).load().sources

    assert clusters.strip("'") == eu.listeners[0].clusters


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("strimzi", "{clusters: '*'}", "{clusters: kafka/orders-1}"),
        ("strimzi", "{}", "{clusters: kafka/orders-1}"),
        ("strimzi", "{}", "{bootstrap: ['a:9092']}"),
        ("strimzi", "{clusters: '*/*'}", "{clusters: 'kafka/*'}"),
        ("strimzi", "{clusters: 'kafka/*'}", "{clusters: 'kafka/*'}"),
        ("lab", "{clusters: '*'}", "{clusters: orders-1}"),
    ],
)
def test_a_listener_that_is_never_reached_is_refused(files: FleetFiles, kind: str, first: str, second: str) -> None:
    """
    The first that fits a cluster counts, so behind one that fits all of them it would be believed in vain.
    """
    (problem,) = files.fleet(source(kind, f"{first}, {second}")).problems()

    assert ("fleet.yaml", 7, "spec.sources[1].listeners[1].clusters") == (problem.file, problem.line, problem.field)
    assert "is never reached" in problem.found
    assert "fleet.yaml:7" in problem.found


def test_listeners_whose_clusters_overlap_in_part_are_all_kept(files: FleetFiles) -> None:
    """
    The order decides between them, and each is reached by some cluster.
    """
    listeners = "{clusters: kafka/orders-1}, {clusters: 'kafka/*'}, {clusters: '*/orders-*'}, {}"

    _, eu = files.fleet(source("strimzi", listeners)).load().sources

    assert 4 == len(eu.listeners)
