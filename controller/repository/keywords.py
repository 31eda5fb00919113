"""JSON Schema's keywords, read for documents whose every scalar is text.

``integer`` is a text of ASCII digits, ``boolean`` is ``true`` or ``false``; a problem is told at the field that is
unknown, missing or there twice, not at what it stands in. Keywords that begin with ``x-`` are ours, see ``schema``.
A keyword that is not in ``KEYWORDS`` has no effect.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.validators import create

Json = Any
"""A JSON Schema, or a document or a part of one: what jsonschema calls anything."""

_DIGITS = re.compile(r"[0-9]{1,18}")


def _is_number(instance: object) -> bool:
    return isinstance(instance, str) and _DIGITS.fullmatch(instance) is not None


def _required(_: Json, names: Sequence[str], instance: Json, __: Json) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield ValidationError("missing", path=(name,))


def _additional(validator: Json, rule: Json, instance: Json, schema: Json) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for name in instance.keys() - schema.get("properties", {}).keys():
        if rule is False:
            yield ValidationError("unknown", path=(name,))
        else:
            yield from validator.descend(instance[name], rule, path=name)


def _property_names(validator: Json, rule: Json, instance: Json, _: Json) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in instance:
            for error in validator.descend(name, rule):
                error.path.appendleft(name)
                yield error


def _unique(_: Json, wanted: bool, instance: Json, __: Json) -> Iterator[ValidationError]:  # noqa: FBT001 - jsonschema's form
    seen: set[str] = set()
    for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
        if not isinstance(item, str):  # its type is wrong, which another keyword tells
            continue
        if item in seen:
            yield ValidationError("second", path=(index,), instance=item)
        seen.add(item)


def _pattern(_: Json, pattern: str, instance: Json, __: Json) -> Iterator[ValidationError]:
    """All of the text must match: in Python a bare ``$`` would let a line's end through."""
    if isinstance(instance, str) and re.fullmatch(pattern.removesuffix("$"), instance) is None:
        yield ValidationError("form")


def _minimum(_: Json, least: int, instance: Json, __: Json) -> Iterator[ValidationError]:
    if _is_number(instance) and int(instance) < least:
        yield ValidationError("too small")


def _maximum(_: Json, most: int, instance: Json, __: Json) -> Iterator[ValidationError]:
    if _is_number(instance) and int(instance) > most:
        yield ValidationError("too large")


_THEIRS = (
    "allOf",
    "anyOf",
    "const",
    "enum",
    "if",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
    "not",
    "oneOf",
    "properties",
    "type",
)
_OURS = {
    "additionalProperties": _additional,
    "maximum": _maximum,
    "minimum": _minimum,
    "pattern": _pattern,
    "propertyNames": _property_names,
    "required": _required,
    "uniqueItems": _unique,
}
KEYWORDS = frozenset(_THEIRS) | frozenset(_OURS) | {"then", "else"}
"""Every keyword that has an effect; a schema that uses another one would be believed in vain."""

_TYPES: Any = {
    "array": lambda _, instance: isinstance(instance, list),
    "boolean": lambda _, instance: instance in ("true", "false"),
    "integer": lambda _, instance: _is_number(instance),
    "null": lambda _, instance: instance in ("null", "~"),
    "number": lambda _, instance: isinstance(instance, str),
    "object": lambda _, instance: isinstance(instance, dict),
    "string": lambda _, instance: isinstance(instance, str),
}
_VALIDATORS: Any = {**{name: Draft202012Validator.VALIDATORS[name] for name in _THEIRS}, **_OURS}

TextValidator: Any = create(
    meta_schema=Draft202012Validator.META_SCHEMA, validators=_VALIDATORS, type_checker=TypeChecker(_TYPES)
)
"""The class of validators that know these keywords and these types."""
