"""Inventories: the clusters of a simulation, written and generated, and the faults they will have."""

from datetime import timedelta
from pathlib import Path

import pytest

from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.model.places import Place
from controller.repository.catalog import built_in_catalog
from controller.repository.declare import validate
from controller.versions import KafkaVersion
from tests.builders_repository import FleetFiles

HEAD = "apiVersion: wavefleet.io/v1\nkind: Inventory\nspec:\n"
MINUTE = timedelta(minutes=1)
LEVELS = built_in_catalog().metadata_versions


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_the_designs_inventory_means_what_it_says(files: FleetFiles) -> None:
    """
    Every field and every kind of fault of the design.
    """
    files.write(
        "simulation/clusters.yaml",
        f"{HEAD}"
        "  defaults: {brokers: 3, perBroker: 4m, settle: 2m}\n"
        "  clusters:\n"
        "    - {name: orders-eu-1, labels: {env: prod, region: eu}, kafkaVersion: 3.9.1, metadataVersion: 3.7-IV4,"
        " brokers: 6}\n"
        '    - {generate: {count: 200, name: "bulk-{n:04}", labels: {env: prod}}, kafkaVersion: 4.2.1}\n'
        "  faults:\n"
        "    - {cluster: orders-eu-1, kind: stuck, during: upgrade}\n"
        '    - {cluster: "bulk-*", kind: unhealthy, release: 4.3.1, after: 6h, share: 5%}\n'
        "    - {cluster: bulk-0007, kind: unreachable, at: 3h, for: 40m}\n"
        "    - {cluster: bulk-0009, kind: refused, during: upgrade}\n"
        "    - {cluster: bulk-0011, kind: changedByOthers, at: 1h, kafkaVersion: 4.3.0}\n",
    )

    inventory = files.load().inventories["try"]

    def here(line: int) -> Place:
        return Place("simulation/clusters.yaml", line)

    assert 201 == len(inventory.clusters)
    assert (
        SimulatedCluster(
            "orders-eu-1",
            {"env": "prod", "region": "eu"},
            KafkaVersion(3, 9, 1),
            LEVELS["3.7-IV4"],
            6,
            4 * MINUTE,
            2 * MINUTE,
        )
        == inventory.clusters[0]
    )
    assert (
        SimulatedCluster(
            "bulk-0001", {"env": "prod"}, KafkaVersion(4, 2, 1), LEVELS["4.2-IV1"], 3, 4 * MINUTE, 2 * MINUTE
        )
        == inventory.clusters[1]
    )
    bulk = tuple(f"bulk-{n:04}" for n in range(1, 201))
    assert (
        Fault(FaultKind.STUCK, ("orders-eu-1",), here(9), during_upgrade=True),
        Fault(FaultKind.UNHEALTHY, bulk, here(10), release=KafkaVersion(4, 3, 1), after=360 * MINUTE, share=5),
        Fault(FaultKind.UNREACHABLE, ("bulk-0007",), here(11), at=180 * MINUTE, lasts=40 * MINUTE),
        Fault(FaultKind.REFUSED, ("bulk-0009",), here(12), during_upgrade=True),
        Fault(
            FaultKind.CHANGED_BY_OTHERS, ("bulk-0011",), here(13), at=60 * MINUTE, kafka_version=KafkaVersion(4, 3, 0)
        ),
    ) == inventory.faults


def test_an_inventory_has_defaults(files: FleetFiles) -> None:
    """
    Three brokers of four minutes each, and two minutes to settle.
    """
    cluster = files.load().inventories["try"].clusters[0]

    assert (3, 4 * MINUTE, 2 * MINUTE) == (cluster.brokers, cluster.per_broker, cluster.settle)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("b{n}", ["b1", "b10"]), ("b-{n:02}-x", ["b-01-x", "b-10-x"]), ("{n:04}", ["0001", "0010"])],
)
def test_generated_names_count_from_one(files: FleetFiles, pattern: str, names: list[str]) -> None:
    """
    With zeros in front where they are asked for.
    """
    files.write(
        "simulation/clusters.yaml",
        f'{HEAD}  clusters: [{{generate: {{count: 10, name: "{pattern}"}}, kafkaVersion: 4.2.1}}]\n',
    )

    clusters = files.load().inventories["try"].clusters

    assert names == [clusters[0].name, clusters[-1].name]


@pytest.mark.parametrize(
    ("row", "field", "found"),
    [
        ("{name: a, kafkaVersion: 4.2.9}", ".kafkaVersion", "'4.2.9'"),
        ("{name: a}", ".kafkaVersion", "nothing"),
        ("{kafkaVersion: 4.2.1}", "", "neither name nor generate"),
        ("{name: a, kafkaVersion: 4.2.1, brokers: 0}", ".brokers", "'0'"),
        ("{name: a, kafkaVersion: 4.2.1, settle: 0m}", ".settle", "'0m'"),
        ("{name: a, kafkaVersion: 4.2.1, metadataVersion: 4.3-IV0}", ".metadataVersion", "'4.3-IV0'"),
        ("{name: a, kafkaVersion: 4.2.1, metadataVersion: 4.2-IV7}", ".metadataVersion", "'4.2-IV7'"),
        ("{name: orders-eu-1, kafkaVersion: 4.2.1}", ".name", "a second 'orders-eu-1'"),
        ("{name: a/b, kafkaVersion: 4.2.1}", ".name", "'a/b'"),
        ('{generate: {count: 0, name: "x{n}"}, kafkaVersion: 4.2.1}', ".generate.count", "'0'"),
        ('{generate: {count: 200001, name: "x{n}"}, kafkaVersion: 4.2.1}', ".generate.count", "'200001'"),
        ('{generate: {count: 200000, name: "x{n}"}, kafkaVersion: 4.2.1}', "", "more than 200000 clusters up to here"),
        ("{generate: {count: 2, name: x}, kafkaVersion: 4.2.1}", ".generate.name", "'x'"),
        ('{generate: {count: 2, name: "x{m}"}, kafkaVersion: 4.2.1}', ".generate.name", "'x{m}'"),
        ('{generate: {count: 2, name: "bulk-{n:04}"}, kafkaVersion: 4.2.1}', ".generate.name", "a second 'bulk-0001'"),
        ('{generate: {count: 2, name: "x{n}"}, labels: {a: b}, kafkaVersion: 4.2.1}', ".labels", "fields ('a')"),
    ],
)
def test_a_wrong_cluster_is_told_where_it_stands(files: FleetFiles, row: str, field: str, found: str) -> None:
    """
    One problem per mistake, at its line and field.
    """
    problems = files.inventory(f"    - {row}\n").problems()

    assert [("simulation/clusters.yaml", 7, f"spec.clusters[2]{field}", found)] == [
        (it.file, it.line, it.field, it.found) for it in problems
    ]


@pytest.mark.parametrize(
    ("row", "field", "found"),
    [
        ("{cluster: bulk-9999, kind: stuck}", ".cluster", "'bulk-9999', which matches no cluster"),
        ('{cluster: "x*", kind: stuck}', ".cluster", "'x*', which matches no cluster"),
        ("{cluster: bulk-0001, kind: tired, at: 1h}", ".kind", "'tired'"),
        ("{cluster: bulk-0001, kind: unhealthy}", "", "a fault unhealthy without a time"),
        ("{cluster: bulk-0001, kind: unhealthy, at: 1h, after: 2h}", ".after", "`after` beside `at`"),
        ("{cluster: bulk-0001, kind: stuck, after: 2h}", ".after", "`after` with stuck"),
        ("{cluster: bulk-0001, kind: unhealthy, during: upgrade, after: 2h}", ".after", "`after` beside `during`"),
        ("{cluster: bulk-0001, kind: changedByOthers, at: 1h}", ".kafkaVersion", "nothing"),
        ("{cluster: bulk-0001, kind: stuck, kafkaVersion: 4.3.0}", ".kafkaVersion", "'4.3.0'"),
        ("{cluster: bulk-0001, kind: stuck, release: 9.9.9}", ".release", "'9.9.9'"),
        ("{cluster: bulk-0001, kind: stuck, for: 0m}", ".for", "'0m'"),
        ("{cluster: bulk-0001, kind: stuck, share: 0%}", ".share", "'0%'"),
        ("{cluster: bulk-0001, kind: stuck, at: -1h}", ".at", "'-1h'"),
    ],
)
def test_a_wrong_fault_is_told_where_it_stands(files: FleetFiles, row: str, field: str, found: str) -> None:
    """
    A fault that would hit nobody, or at no time, proves nothing and is refused.
    """
    problems = files.inventory(f"  faults:\n    - {row}\n").problems()

    assert [("simulation/clusters.yaml", 8, f"spec.faults[0]{field}", found)] == [
        (it.file, it.line, it.field, it.found) for it in problems
    ]


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ("*", ["orders-eu-1", "bulk-0001", "bulk-0002", "bulk-0003"]),
        ("bulk-*", ["bulk-0001", "bulk-0002", "bulk-0003"]),
        ("*-1", ["orders-eu-1"]),
        ("*eu*", ["orders-eu-1"]),
        ("b*0*2", ["bulk-0002"]),
        ("bulk-0003", ["bulk-0003"]),
        ("*u*u*1", []),
        ("orders-eu-1*1", []),
    ],
)
def test_a_pattern_names_the_clusters_it_matches(files: FleetFiles, pattern: str, hit: list[str]) -> None:
    """
    A star stands for any characters, or none, and nothing else is special.
    """
    files.inventory(f'  faults: [{{cluster: "{pattern}", kind: stuck}}]\n')

    if hit:
        assert hit == list(files.load().inventories["try"].faults[0].clusters)
    else:
        assert [f"'{pattern}', which matches no cluster"] == [problem.found for problem in files.problems()]


def test_a_fault_may_begin_at_once(files: FleetFiles) -> None:
    """
    An offset of zero is the start of the simulation, not a missing time.
    """
    files.inventory("  faults: [{cluster: bulk-0001, kind: unreachable, at: 0s}]\n")

    assert timedelta(0) == files.load().inventories["try"].faults[0].at


def test_faults_together_name_a_bounded_number_of_clusters(files: FleetFiles) -> None:
    """
    Patterns are expanded, so their products are bounded too.
    """
    rows = '    - {cluster: "*", kind: stuck}\n' * 6
    files.write(
        "simulation/clusters.yaml",
        f'{HEAD}  clusters: [{{generate: {{count: 200000, name: "x{{n}}"}}, kafkaVersion: 4.2.1}}]\n  faults:\n{rows}',
    )

    problems = validate(files.tree())

    assert [(11, "spec.faults[5].cluster")] == [(problem.line, problem.field) for problem in problems]
