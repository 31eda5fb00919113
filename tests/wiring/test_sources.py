"""Sources of live clusters as a declaration names them: one that cannot be set up concerns no other."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import ApplyRefused, ObservationError, SettingsError
from controller.model.declaration import Declaration, SourceDeclaration
from controller.ports import FleetSource
from controller.settings import Settings, load_settings
from controller.versions import MetadataVersion
from controller.wiring.parts import MAKERS, DeclaredSources, Maker, Setup
from tests.builders import NOON, a_start, an_inventory, place
from tests.builders_core import a_declaration
from tests.real.kubernetes import ApiServer

NOBODY = frozenset[str]()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose ledger is a folder of the test's own."""
    return load_settings({"ledger": str(tmp_path / "ledger.db")}, {})


def declared(*types: str) -> Declaration:
    """A declaration with one source of each type, called like it."""
    sources = tuple(SourceDeclaration(each, each, {"directory": "/nowhere"}, place()) for each in types)
    return replace(a_declaration(), sources=sources, inventories={"simulated": an_inventory()})


def failing(*errors: Exception) -> Maker:
    """A maker that meets these errors, one a call, and then makes a lab."""
    left = iter(errors)

    def make(setup: Setup) -> FleetSource:
        for error in left:
            raise error
        return MAKERS["lab"](setup)

    return make


def sources_with(settings: Settings, *errors: Exception) -> DeclaredSources:
    """Sources of which those of the type ``cluster`` meet ``errors`` first."""
    return DeclaredSources(settings, makers={**MAKERS, "cluster": failing(*errors)})


def test_a_source_that_cannot_be_set_up_is_out_of_reach_and_fails_no_other(settings: Settings) -> None:
    """
    It answers in its place with its own sentence; the others are read as ever.
    """
    sources = sources_with(settings, ObservationError("no kubeconfig at /nowhere"))

    lost, other = sources.open(declared("cluster", "simulated"))

    assert ["cluster", "simulated"] == [lost.name, other.name]
    assert ["simulated/a-1"] == list(other.read(NOBODY, NOON).clusters)
    with pytest.raises(ObservationError, match="source cluster cannot be set up: no kubeconfig at /nowhere"):
        lost.read(NOBODY, NOON)
    with pytest.raises(ApplyRefused, match="cluster/a-1: source cluster cannot be set up"):
        lost.start(a_start("cluster/a-1"), NOON)


def test_a_source_that_could_not_be_set_up_is_tried_again_each_time(settings: Settings) -> None:
    """
    Nobody has to restart a daemon once what was missing is there; the other sources stay the objects that they were.
    """
    sources = sources_with(settings, *[ObservationError("not yet")] * 2)
    declaration = declared("cluster", "simulated")

    first, second, third = (sources.open(declaration) for _ in range(3))

    for opened in (first, second):
        with pytest.raises(ObservationError, match="not yet"):
            opened[0].read(NOBODY, NOON)
    with pytest.raises(ObservationError, match="source cluster: "):
        third[0].read(NOBODY, NOON)
    assert first[1] is second[1] is third[1]
    assert third == sources.open(declaration)


def test_a_setting_that_never_can_work_is_told_as_one(settings: Settings) -> None:
    """
    Who wrote it must mend it, so it is no outage.
    """
    sources = sources_with(settings, SettingsError("WAVEFLEET_KUBECONFIG: found nothing"))

    with pytest.raises(SettingsError, match="WAVEFLEET_KUBECONFIG"):
        sources.open(declared("cluster", "simulated"))


def test_a_type_that_nobody_knows_is_a_bug(settings: Settings) -> None:
    """
    The declaration's schema refuses it, so it never comes here.
    """
    with pytest.raises(AssertionError):
        DeclaredSources(settings).open(declared("unheard-of"))


@pytest.fixture
def of_a_day() -> list[Declaration]:
    """Revisions in the order in which they are merged."""
    return [declared("simulated", "lab"), declared("simulated"), declared("simulated", "lab")]


def test_a_source_that_did_not_change_stays_the_same_object(settings: Settings, of_a_day: list[Declaration]) -> None:
    """
    Also where another one comes and goes; a simulated fleet goes on with its new inventory.
    """
    sources = DeclaredSources(settings)

    opened = [sources.open(declaration) for declaration in of_a_day]

    assert opened[0][0] is opened[1][0] is opened[2][0]
    assert opened[0][1] is not opened[2][1]


def test_live_sources_are_opened_anew_where_a_revision_knows_other_levels(settings: Settings) -> None:
    """
    They would take a level that they do not know for none; a simulated fleet goes on, and so does everybody after that.
    """
    before = declared("simulated", "lab")
    level = MetadataVersion(99, "4.9-IV0", changes_metadata=False)
    known = {**before.catalog.metadata_versions, level.name: level}
    after = replace(before, catalog=replace(before.catalog, metadata_versions=known))
    sources = DeclaredSources(settings)

    first, same, other, kept = (sources.open(each) for each in (before, replace(before), after, replace(after)))

    assert first == same
    assert first[0] is other[0]
    assert first[1] is not other[1]
    assert other == kept


def test_a_kubernetes_is_read_by_what_is_declared_of_it(
    settings: Settings, kubernetes: ApiServer, tmp_path: Path
) -> None:
    """
    Its context, its kubeconfig file, the namespaces and labels that count; the same declaration keeps the same source.
    """
    kafkas = "/apis/kafka.strimzi.io/v1/namespaces/{}/kafkas"
    for namespace, labels in (("kafka-wired", {"env": "prod"}), ("kafka-wired-2", {"env": "dev"}), ("wired", {})):
        kubernetes.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        metadata = {"name": "orders", "labels": labels}
        manifest = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": metadata}
        kubernetes.call("POST", kafkas.format(namespace), {**manifest, "spec": {"kafka": {"version": "4.1.2"}}})
    options = {"context": "fleet", "kubeconfig": str(kubernetes.kubeconfig())}
    eu = SourceDeclaration("eu", "strimzi", options, place(), namespaces=("kafka-wired*",), selector={"env": "prod"})
    gone = replace(eu, name="us", options={**options, "kubeconfig": str(tmp_path / "none")})
    declaration = replace(a_declaration(), sources=(eu, gone))
    sources = DeclaredSources(settings)

    live, lost = sources.open(declaration)
    assert ["eu/kafka-wired/orders"] == list(live.read(NOBODY, NOON).clusters)
    with pytest.raises(ObservationError, match="source us cannot be set up: context fleet of"):
        lost.read(NOBODY, NOON)
    assert live is sources.open(replace(declaration))[0]

    several = replace(eu, namespaces=("kafka-wired-2", "wired"), selector={})
    (other,) = sources.open(replace(declaration, sources=(several,)))
    assert {"eu/kafka-wired-2/orders", "eu/wired/orders"} == set(other.read(NOBODY, NOON).clusters)
    sources.open(replace(declaration, sources=()))
