"""The schemas say what the code does: no keyword without effect, every field described, defaults as in the table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from controller.model.declaration import ClusterGroup, Finalize, Limits, OnFailure
from controller.model.durations import parse_duration
from controller.repository import defaults
from controller.repository.files import read_file
from controller.repository.keywords import KEYWORDS
from controller.repository.schema import KINDS, check, nearest, read_schema, whole_schema
from controller.repository.values import percent, size
from tests.builders_repository import FLEET, INVENTORY, group_text

FILES = ("definitions.schema.json", *KINDS.values())
ANNOTATIONS = {"$schema", "$defs", "$ref", "title", "description", "default", "x-expected"}
HOLDING_SCHEMAS = {"properties", "$defs"}


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - a part of a JSON file
    """Yield every schema inside a schema, with its path."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from parts(item, f"{path}/{index}")
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, value in schema.items():
        if key in HOLDING_SCHEMAS:
            for name, child in value.items():
                yield from parts(child, f"{path}/{key}/{name}")
        elif key not in ANNOTATIONS | {"enum", "const", "required"}:
            yield from parts(value, f"{path}/{key}")


@pytest.mark.parametrize("name", FILES)
def test_schemas_are_valid_for_every_editor(name: str) -> None:
    """
    They are draft 2020-12, and nothing in them is new since draft-07, which older editors read.
    """
    schema = read_schema(name)

    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]


@pytest.mark.parametrize("name", FILES)
def test_no_keyword_is_believed_in_vain(name: str) -> None:
    """
    Every keyword that a schema uses has an effect here, or is a note for people.
    """
    unknown = [(path, key) for path, part in parts(read_schema(name)) for key in part.keys() - KEYWORDS - ANNOTATIONS]

    assert [] == unknown


@pytest.mark.parametrize("name", FILES)
def test_beside_a_reference_stands_nothing_that_older_editors_would_miss(name: str) -> None:
    """
    Draft-07 ignores what stands beside a reference, so only notes and marks of ours do.
    """
    beside = [
        (path, key)
        for path, part in parts(read_schema(name))
        if "$ref" in part
        for key in part.keys() - ANNOTATIONS
        if not key.startswith("x-")
    ]

    assert [] == beside


@pytest.mark.parametrize("name", FILES)
def test_patterns_judge_the_whole_text(name: str) -> None:
    """
    A pattern that is not anchored would mean one thing to an editor and another to us.
    """
    loose = [
        part["pattern"] for _, part in parts(read_schema(name)) if not re.match(r"\^.*\$$", part.get("pattern", "^$"))
    ]

    assert [] == loose


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is_and_what_it_takes(kind: str) -> None:
    """
    Editors show a description of each field, and a refusal says what was expected of it.
    """
    schema = whole_schema(KINDS[kind])
    fields = [
        (f"{path}/{name}", field)
        for path, part in parts(schema)
        if "/then" not in path and "/else" not in path and "/if" not in path
        for name, field in part.get("properties", {}).items()
    ]

    assert [] == [path for path, field in fields if not field.get("description")]
    assert [] == [path for path, field in fields if not field.get("x-expected") and "const" not in field]


def test_defaults_in_the_schemas_are_those_of_the_table() -> None:
    """
    What an editor shows as a default is what the code uses.
    """
    strategy = read_schema("definitions.schema.json")["$defs"]["strategy"]["properties"]
    inventory = read_schema("inventory.schema.json")["properties"]["spec"]["properties"]["defaults"]["properties"]
    limits = read_schema("fleet.schema.json")["properties"]["spec"]["properties"]["limits"]["properties"]
    definitions = read_schema("definitions.schema.json")["$defs"]
    group = read_schema("clustergroup.schema.json")["properties"]["spec"]["properties"]
    prometheus = group["gates"]["items"]["properties"]["prometheus"]["properties"]

    assert defaults.FAILURE_BUDGET == size(strategy["failureBudget"]["default"])
    assert defaults.DEADLINE == parse_duration(strategy["deadline"]["default"])
    assert defaults.ON_FAILURE == OnFailure(strategy["onFailure"]["default"])
    assert defaults.MAX_IN_FLIGHT == int(definitions["wave"]["properties"]["maxInFlight"]["default"])
    assert defaults.SAMPLES == int(definitions["health"]["properties"]["samples"]["default"])
    assert defaults.FINALIZE_SOAK == parse_duration(definitions["finalize"]["properties"]["soak"]["default"])
    assert defaults.METADATA_VERSION == Finalize(group["metadataVersion"]["default"])
    assert defaults.GATE_SAMPLES == int(prometheus["samples"]["default"])
    assert defaults.UNAVAILABLE_PERCENT == percent(limits["unavailable"]["default"])
    assert defaults.CLUSTERS_IN_FLIGHT == int(limits["clustersInFlight"]["default"])
    assert defaults.BROKERS == int(inventory["brokers"]["default"])
    assert defaults.PER_BROKER == parse_duration(inventory["perBroker"]["default"])
    assert defaults.SETTLE == parse_duration(inventory["settle"]["default"])


def test_the_model_has_the_same_defaults() -> None:
    """
    A declaration built by hand means what an empty one means.
    """
    assert defaults.CLUSTERS_IN_FLIGHT == Limits().clusters_in_flight
    assert defaults.UNAVAILABLE_PERCENT == Limits().unavailable_percent
    assert defaults.SAMPLES == ClusterGroup.__dataclass_fields__["samples"].default
    assert defaults.FINALIZE_SOAK == ClusterGroup.__dataclass_fields__["finalize_soak"].default


EXPEDITE = "  expedite: [{version: 4.3.2, reason: CVE, by: ana, until: '2026-12-01', soak: 10m, ignoreWindows: true}]\n"
GATES = (
    "  gates:\n"
    "    - {prometheus: {name: lag, query: sum(lag), above: -1, below: 0.25, samples: 5}}\n"
    "    - {webhook: {name: calendar, url: 'https://changes.example.com/may-start'}}\n"
)
LIMITS = "  limits: {perDomain: [{label: region, clusters: 3}], neverTogether: [dr-pair], unavailable: 5%}\n"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Fleet", FLEET),
        ("Fleet", FLEET + LIMITS + EXPEDITE),
        ("ClusterGroup", group_text()),
        ("ClusterGroup", group_text("prod", "  metadataVersion: 4.3-IV0\n  finalize: {soak: 7d}\n" + GATES + EXPEDITE)),
        ("Inventory", INVENTORY),
    ],
)
def test_what_we_accept_an_editor_accepts_too(kind: str, text: str) -> None:
    """
    The same schema, read by a plain validator on plainly loaded YAML, finds nothing wrong with a valid document.
    """
    import yaml

    inlined = whole_schema(KINDS[kind])

    assert [] == list(Draft202012Validator(inlined).iter_errors(yaml.safe_load(text)))
    assert () == check(read_file("f", text.encode()).documents[0], kind).problems


def test_the_nearest_word_forgives_case_and_typing() -> None:
    """
    A hint is given where one word is near, and none where it would be a guess.
    """
    assert "kafkaVersion" == nearest("kafkaversoin", ["kafkaVersion", "metadataVersion"])
    assert nearest("xyz", ["kafkaVersion"]) is None


def test_schemas_are_found_in_the_checkout() -> None:
    """
    Without an installed package the folder at the top of the checkout serves.
    """
    top = Path(__file__).parents[2] / "schemas"

    assert sorted(FILES) == sorted(path.name for path in top.iterdir() if path.name in FILES)
