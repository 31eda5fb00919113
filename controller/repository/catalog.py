"""The release catalog: the built-in rows beside this module, and what a fleet's ``releases.yaml`` adds to them.

A fleet can add releases and block releases; it cannot change a built-in row, since facts about Kafka do not differ
from fleet to fleet. Whether a group may target a release is judged in the core, not here: blocked and known-bad
releases are valid targets that hold.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from controller.errors import Problem
from controller.model.catalog import Catalog, Release
from controller.repository import values
from controller.repository.fields import Fields, Word
from controller.repository.files import Document, read_file
from controller.repository.schema import check, nearest
from controller.versions import KafkaVersion, MetadataVersion, Minor

BUILT_IN = "kafka-releases.yaml"
JAVA_DEFAULT = 17
"""What a fleet's own row means where it does not say: every release since 4.0 needs it."""

_NULL = frozenset({"null", "~"})


@lru_cache(maxsize=1)
def built_in_catalog() -> Catalog:
    """Return the catalog that comes with this release of Wavefleet."""
    content = (Path(__file__).parent / BUILT_IN).read_bytes()
    read = read_file(BUILT_IN, content)
    problems = list(read.problems)
    fields = Fields.of(read.documents[0], problems)
    levels = [_level(level) for level in fields.each("metadata_versions")]
    names = {level.name: level for level in levels}
    catalog = Catalog(
        releases={},
        metadata_versions=names,
        metadata_floor_for_4x=names[_text(fields, "metadata_floor_for_4x")],
        source=f"{_text(fields, 'source')}, as of {_text(fields, 'date')}",
    )
    rows = (_row(row, catalog) for row in fields.each("releases"))
    releases = {row.version: row for row in rows if row is not None}
    assert not problems, problems
    return replace(catalog, releases=releases)


def read_catalog(document: Document) -> tuple[Catalog, tuple[Problem, ...]]:
    """Return the built-in catalog with what a document of kind ReleaseCatalog adds, and what is wrong with it."""
    problems = list(check(document, "ReleaseCatalog").problems)
    spec = Fields.of(document, problems).fields("spec")
    catalog = built_in_catalog()
    for row in spec.each("releases"):
        catalog = _with_row(catalog, row)
    return _with_blocked(catalog, spec.each("blocked")), tuple(problems)


def unknown_release(word: Word, catalog: Catalog) -> Problem | None:
    """Return the problem that a release is which the catalog does not have; None where it has it."""
    version = KafkaVersion.parse(word.text)
    if version in catalog.releases:
        return None
    return word.problem(f"a release of the catalog such as {_near(version, catalog)}, or a row for it in releases.yaml")


def unknown_metadata_version(word: Word, catalog: Catalog) -> Problem | None:
    """Return the problem that a metadata.version is which the catalog does not have; None where it has it."""
    if word.text in catalog.metadata_versions:
        return None
    near = nearest(word.text, catalog.metadata_versions) or max(catalog.metadata_versions.values()).name
    return word.problem(f"a metadata.version of the catalog such as {near}")


def _near(version: KafkaVersion, catalog: Catalog) -> KafkaVersion:
    """Return the newest known release of the same line, else the newest of all."""
    same_line = [known for known in catalog.releases if known.line == version.line]
    return max(same_line or catalog.releases)


def _with_row(catalog: Catalog, row: Fields) -> Catalog:
    version = row.word("version")
    if version is None:
        return catalog
    parsed = KafkaVersion.parse(version.text)
    if parsed in catalog.releases:
        row.note("version", f"'{parsed}', which is in the catalog already", "a release that it does not have yet")
        return catalog
    like = row.word("like")
    if like is None:
        release = _row(row, catalog)
    elif (original := catalog.releases.get(KafkaVersion.parse(like.text))) is None:
        row.note("like", f"'{like.text}'", "a release of the built-in catalog, or one that stands above this one")
        return catalog
    else:
        release = replace(original, version=parsed)
    if release is None:
        return catalog
    return replace(
        catalog,
        releases={**catalog.releases, parsed: release},
        metadata_versions=_with_level(catalog, release.metadata_version),
    )


def _with_level(catalog: Catalog, level: MetadataVersion | None) -> dict[str, MetadataVersion]:
    added = () if level is None or level.name in catalog.metadata_versions else (level,)
    return {level.name: level for level in sorted((*catalog.metadata_versions.values(), *added))}


def _with_blocked(catalog: Catalog, rows: Iterable[Fields]) -> Catalog:
    blocked: dict[KafkaVersion, str] = {}
    for row in rows:
        word = row.word("version")
        reason = row.read("reason", values.words)
        if word is None or reason is None:
            continue
        version = KafkaVersion.parse(word.text)
        if version not in catalog.releases:
            row.note("version", f"'{version}'", f"a release of the catalog such as {_near(version, catalog)}")
        elif version in blocked:
            row.note("version", f"a second '{version}'", "each blocked release once")
        blocked[version] = reason
    return replace(catalog, blocked=blocked)


def _row(row: Fields, catalog: Catalog) -> Release | None:
    """Read a full row; None where it cannot be read, which is told already."""
    version, ways = row.word("version"), row.fields("upgrade_from_minor")
    if version is None or not row.has("metadata_version"):
        return None
    kraft = row.word("kraft")
    return Release(
        version=KafkaVersion.parse(version.text),
        released=_text(row, "released"),
        metadata_version=_metadata_version(row, catalog),
        kraft_from=None if kraft is not None and kraft.text == "preview" else _lines(ways, "kraft"),
        zookeeper_from=_lines(ways, "zk"),
        zookeeper=row.read("zk_supported", values.flag) or False,
        min_java_broker=row.read("min_java_broker", values.whole_number) or JAVA_DEFAULT,
        branch_supported=row.read("branch_supported", values.flag) is not False,
        broker_bugs=_issues(row, "broker_bugs"),
        client_bugs=_issues(row, "client_bugs"),
        broker_cves=_issues(row, "broker_cves"),
    )


def _metadata_version(row: Fields, catalog: Catalog) -> MetadataVersion | None:
    name, number = _text(row, "metadata_version"), _text(row, "metadata_level")
    if name in _NULL:
        return None
    level = int(number) if number and number not in _NULL else None
    known = catalog.metadata_versions.get(name)
    if known is not None:
        if level is not None and level != known.level:
            row.note("metadata_level", f"'{number}'", f"{known.level}, the feature level of {name}")
        return known
    if level is None:
        row.note("metadata_level", "nothing", f"the feature level of {name}, which the catalog does not know")
        return None
    taken = next((other for other in catalog.metadata_versions.values() if other.level == level), None)
    if taken is not None:
        row.note("metadata_level", f"'{number}', the feature level of {taken}", f"the feature level of {name}")
    # Whether it changes metadata records is not known, so no safe downgrade is taken to cross it.
    return MetadataVersion(level, name, changes_metadata=True)


def _lines(ways: Fields, key: str) -> tuple[Minor, Minor] | None:
    lines = [_line(word.text) for word in ways.words(key)]
    if len(lines) != 2:
        return None
    lowest, highest = lines
    if lowest > highest:
        ways.note(key, "a lowest line above the highest", "the lowest line first, such as [3.3, 4.2]")
    return lowest, highest


def _line(text: str) -> Minor:
    major, minor = text.split(".")
    return int(major), int(minor)


def _level(fields: Fields) -> MetadataVersion:
    changes = _text(fields, "changes_metadata") == "true"
    return MetadataVersion(int(_text(fields, "level")), _text(fields, "name"), changes_metadata=changes)


def _issues(row: Fields, key: str) -> tuple[str, ...]:
    return tuple(word.text for word in row.words(key))


def _text(fields: Fields, key: str) -> str:
    word = fields.word(key)
    return word.text if word is not None else ""
