"""Judges documents by the JSON Schemas that also serve editors, and says what is wrong as people would.

Every scalar is text here, so the schema's types are read as forms of text: ``integer`` is ASCII digits, ``boolean``
is ``true`` or ``false``. One keyword is ours: ``x-expected`` completes the sentence "found …, expected …". What a
schema cannot say stands in ``rules``. The only module that imports jsonschema.
"""

import difflib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path as FilePath

from jsonschema import ValidationError

from controller.errors import Problem
from controller.repository.files import PROBLEMS_PER_FILE_MAX, Document, Node, shown
from controller.repository.keywords import Json, TextValidator
from controller.repository.paths import Path, field_at

KINDS: Mapping[str, str] = {
    "Fleet": "fleet.schema.json",
    "ClusterGroup": "clustergroup.schema.json",
    "ReleaseCatalog": "releasecatalog.schema.json",
    "Inventory": "inventory.schema.json",
}
"""The schema of each kind, in the folder ``schemas``."""

_SCHEMA_PACKAGE = "controller.schemas"
NEAREST_OF_MAX = 1_000
_NEAREST_MIN = 0.6


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the schema has to say on one document."""

    problems: tuple[Problem, ...]
    broken: frozenset[str]
    """Fields of ``metadata`` and ``spec`` with a problem somewhere in them; nothing may be concluded from them."""


def check(document: Document, kind: str) -> Verdict:
    """Judge one document; what is refused is emptied in it, so that the rest can be read without it."""
    errors = itertools.islice(_validator(kind).iter_errors(_plain(document.root)), PROBLEMS_PER_FILE_MAX)
    chosen = _one_per_path(errors)
    problems = tuple(_problem(document, path, error) for path, error in chosen.items())
    for path, error in chosen.items():
        if error.validator not in {"required", "additionalProperties"}:
            _empty(document.root, path)
    return Verdict(problems, frozenset(str(path[1]) for path in chosen if len(path) > 1))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` most likely stands for, or None where none is near.

    Looks at no more than NEAREST_OF_MAX of them: it is a hint, and comparing is slow.
    """
    by_lower = {name.lower(): name for name in itertools.islice(known, NEAREST_OF_MAX)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=_NEAREST_MIN)
    return by_lower[found[0]] if found else None


def read_schema(name: str) -> Json:
    """Return one file of ``schemas``: of the installed package, else of the checkout beside it."""
    try:
        text = resources.files(_SCHEMA_PACKAGE).joinpath(name).read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        text = (FilePath(__file__).parents[2] / "schemas" / name).read_text(encoding="utf-8")
    return json.loads(text)


@lru_cache
def whole_schema(name: str) -> Json:
    """Return one schema with every reference replaced by what it refers to: quicker, and one place to look."""
    return _inlined(read_schema(name), name)


def _inlined(part: Json, name: str) -> Json:
    if isinstance(part, list):
        return [_inlined(item, name) for item in part]
    if not isinstance(part, dict):
        return part
    beside = {key: _inlined(value, name) for key, value in part.items() if key not in {"$ref", "$defs"}}
    if "$ref" not in part:
        return beside
    file, _, pointer = part["$ref"].partition("#/")
    target = read_schema(file or name)
    for key in pointer.split("/"):
        target = target[key]
    return {**_inlined(target, file or name), **beside}


@lru_cache
def _validator(kind: str) -> Json:
    return TextValidator(whole_schema(KINDS[kind]))


def _plain(node: Node) -> Json:
    value = node.value
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return value


def _one_per_path(errors: Iterable[ValidationError]) -> dict[Path, ValidationError]:
    """Choose the error that says most about each place."""
    chosen: dict[Path, ValidationError] = {}
    for error in errors:
        path = tuple(error.absolute_path)
        if path not in chosen or _weight(error) < _weight(chosen[path]):
            chosen[path] = error
    return chosen


def _weight(error: ValidationError) -> int:
    return 1 if error.validator == "type" else 2


def _problem(document: Document, path: Path, error: ValidationError) -> Problem:
    found, expected = _sentence(path, error)
    return Problem(document.file, _line(document.root, path), field_at(path), found, expected)


def _sentence(path: Path, error: ValidationError) -> tuple[str, str]:
    instance: Json = error.instance
    schema: Json = error.schema if isinstance(error.schema, dict) else {}
    expected = schema.get("x-expected") or "what the schema describes"
    sentences: Mapping[str, Callable[[], tuple[str, str]]] = {
        "required": lambda: ("nothing", schema.get("properties", {}).get(path[-1], {}).get("x-expected") or expected),
        "additionalProperties": lambda: _unknown(str(path[-1]), schema["properties"]),
        "anyOf": lambda: (_alternatives(error.validator_value, instance), expected),
        "oneOf": lambda: (_alternatives(error.validator_value, instance), expected),
        "uniqueItems": lambda: (f"a second {shown(instance)}", expected),
        "maxItems": lambda: (f"a list of {len(instance)}", f"{expected}: at most {error.validator_value}"),
        "maxProperties": lambda: (f"{len(instance)} fields", f"{expected}: at most {error.validator_value}"),
    }
    sentence = sentences.get(str(error.validator))
    return sentence() if sentence is not None else (_found(instance), expected)


def _unknown(word: str, known: Mapping[str, object]) -> tuple[str, str]:
    near = nearest(word, known)
    expected = f"the field {shown(near)}, which is the nearest" if near else f"one of {', '.join(sorted(known))}"
    return f"an unknown field {shown(word)}", expected


def _alternatives(branches: Json, instance: Json) -> str:
    names = [name for branch in branches for name in branch["required"]]
    present = [name for name in names if name in instance]
    return f"both {' and '.join(present)}" if present else f"neither {' nor '.join(names)}"


def _found(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return f"fields ({', '.join(shown(key) for key in itertools.islice(value, 3))})" if value else "no fields"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return shown(value)


def _line(root: Node, path: Path) -> int:
    """Return the line of ``path``, or of the nearest thing above it that was written."""
    node = root
    for part in path:
        child = _child(node, part)
        if child is None:
            return node.line
        node = child
    return node.line


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(part, str):
        return node.value.get(part)
    if isinstance(node.value, list) and isinstance(part, int):
        return node.value[part]
    return None


def _empty(root: Node, path: Path) -> None:
    """Empty the value at ``path`` and leave its line."""
    parent = root
    for part in path[:-1]:
        child = _child(parent, part)
        if child is None:
            return
        parent = child
    if isinstance(parent.value, dict) and path and path[-1] in parent.value:
        key = str(path[-1])
        parent.value[key] = Node(None, parent.value[key].line)
    elif isinstance(parent.value, list) and path:
        parent.value[int(path[-1])] = Node(None, parent.value[int(path[-1])].line)
