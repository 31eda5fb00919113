"""Strict YAML: what is refused, where it is told, and that every scalar stays as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.repository.files import PROBLEMS_PER_FILE_MAX, Node, read_file, refused
from controller.repository.tree import FILE_BYTES_MAX, MODE_FILE, MODE_LINK, MODE_OTHER, MODE_SUBMODULE, Blob

NO_YAML = (
    "f:2: (file): found text that is no YAML (mapping values are not allowed in this context), "
    "expected YAML: look at this line and above"
)
REFUSED = [
    ("duplicate key", "a: 1\nb: 2\na: 3\n", "f:3: a: found a second 'a', expected one; the first is in line 1"),
    (
        "nested duplicate key",
        "a:\n  - {b: 1, b: 2}\n",
        "f:2: a[0].b: found a second 'b', expected one; the first is in line 2",
    ),
    ("tab in the indentation", "a:\n\tb: 1\n", "f:2: (file): found a tab, expected spaces"),
    ("tab elsewhere", "a: 1\t# one\n", "f:1: (file): found a tab, expected spaces"),
    ("anchor", "a: &x 1\n", "f:1: a: found an anchor '&x', expected no anchor: delete it"),
    ("anchor of a key", "&x a: 1\n", "f:1: (file): found an anchor '&x', expected no anchor: delete it"),
    ("alias", "a: 1\nb: *x\n", "f:2: b: found an alias '*x', expected the value itself, written out"),
    (
        "tag",
        "a: !!str 4.10\n",
        "f:1: a: found a tag 'tag:yaml.org,2002:str', expected no tag: every scalar is text, typed by the schema",
    ),
    ("merge key", "<<: {a: 1}\n", "f:1: (file): found a merge key '<<', expected the fields themselves, written out"),
    (
        "list as key",
        "? [a, b]\n: 1\n",
        "f:1: (file): found a key that is a list or has fields, expected a key that is text",
    ),
    ("empty key", "?\n: 1\n", "f:1: (file): found an empty key, expected a key that is text"),
    ("binary file", b"a: \0\1", "f:1: (file): found a binary file, expected YAML in UTF-8: save it as text"),
    (
        "another encoding",
        "a: 1\nb: ü\n".encode("latin-1"),
        "f:2: (file): found the byte 0xfc, which is no UTF-8, expected YAML in UTF-8: save it in that encoding",
    ),
    (
        "what a reviewer does not see",
        "a: 1\nb: x\u202ey\n",
        "f:2: (file): found the invisible character U+202E, expected text without it: delete it",
    ),
    (
        "a hidden line",
        "# a note\rhalted: false\n",
        "f:1: (file): found the invisible character U+000D, expected text without it: delete it",
    ),
    (
        "no YAML",
        "a: 1\nb: c: d\n",
        NO_YAML,
    ),
]


@pytest.mark.parametrize(("content", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_cleverness_and_carelessness_are_told_where_they_stand(content: str | bytes, told: str) -> None:
    """
    Each thing that strict YAML refuses is told with its line, its field and what to do.
    """
    read = read_file("f", content.encode() if isinstance(content, str) else content)

    assert [told] == [str(problem) for problem in read.problems]


@pytest.mark.parametrize("text", ["4.10", "010", "on", "12:30", "1_000", "0x10", "1e3", "2026-01-01", "null", "~", "="])
def test_every_scalar_stays_as_it_was_written(text: str) -> None:
    """
    YAML's own reading of numbers, dates and booleans never happens: text stays text.
    """
    read = read_file("f", f"a: {text}\n".encode())

    assert () == read.problems
    assert {"a": Node(text, 1)} == read.documents[0].root.value


def test_nothing_and_empty_text_are_two_things() -> None:
    """
    A field without a value is None, one with quotes around nothing is a text.
    """
    root = read_file("f", b"a:\nb: ''\n").documents[0].root

    assert {"a": Node(None, 1), "b": Node("", 2)} == root.value


def test_lines_are_those_of_keys_and_items() -> None:
    """
    A value is looked for at its key, an item of a list at its own line.
    """
    root = read_file("f", b"# note\na:\n\n  b:\n    - c\n    -\n      d: 1\n").documents[0].root

    assert isinstance(root.value, dict)
    assert 2 == root.value["a"].line
    inner = root.value["a"].value
    assert isinstance(inner, dict)
    assert 4 == inner["b"].line
    assert isinstance(inner["b"].value, list)
    assert [5, 7] == [item.line for item in inner["b"].value]


def test_documents_without_content_are_passed_over() -> None:
    """
    Separators and comments make no documents; an empty file has none.
    """
    assert () == read_file("f", b"").documents
    assert () == read_file("f", b"# only a note\n---\n---\n# another\n").documents
    assert 2 == len(read_file("f", b"---\na: 1\n---\n---\nb: 1\n").documents)


def test_a_byte_order_mark_at_the_beginning_does_not_matter() -> None:
    """
    Editors that write one are forgiven; further on it is an invisible character.
    """
    assert () == read_file("f", b"\xef\xbb\xbfa: 1\n").problems
    assert 1 == len(read_file("f", b"a: \xef\xbb\xbf1\n").problems)


def test_an_alias_bomb_costs_nothing() -> None:
    """
    A billion laughs is read as far as its aliases, and none is expanded.
    """
    bomb = b"a: &a [x, x]\n" + b"".join(
        b"%c: &%c [*%c, *%c]\n" % (c, c, c - 1, c - 1) for c in range(ord("b"), ord("z"))
    )

    read = read_file("f", bomb)

    assert any("alias" in problem.found for problem in read.problems)
    assert PROBLEMS_PER_FILE_MAX >= len(read.problems)


@pytest.mark.parametrize(
    "content",
    [b"[" * 500_000, b"- " * 500_000, b"{a: " * 200_000, b"? " * 500_000, b"a\n" * 500_000, b"- a\n" * 260_000],
    ids=["brackets", "dashes", "braces", "question marks", "lines", "long list"],
)
def test_files_made_to_exhaust_us_end_soon(content: bytes) -> None:
    """
    Depth and number of values are bounded; neither recursion nor memory runs out.
    """
    read = read_file("f", content)

    assert len(read.problems) + len(read.documents) in range(1, PROBLEMS_PER_FILE_MAX + 2)


def test_values_are_counted() -> None:
    """
    A file with more values than any fleet needs is refused with the limit.
    """
    read = read_file("f", b"[" + b"a," * 400_000 + b"a]")

    assert "f:1: [299999]: found more than 300000 values, expected a smaller file: split it into several" == str(
        read.problems[0]
    )
    assert not read.whole


def test_documents_are_counted() -> None:
    """
    Thousands of objects in one file are a generator's mistake.
    """
    read = read_file("f", b"a: 1\n---\n" * 2_001)

    assert "f:4001: (file): found too many documents, expected at most 2000 in one file" == str(read.problems[0])


@given(st.binary(max_size=300) | st.text(alphabet="ab:-[]{}&*!#'\"|>%@`,? \n\t~<", max_size=80).map(str.encode))
def test_no_content_makes_reading_fail(content: bytes) -> None:
    """
    Safety: whatever bytes a file holds, reading it ends in documents or in problems, never in another way.
    """
    read = read_file("f", content)

    assert read.whole or read.problems
    assert all(problem.line >= 1 and str(problem).isprintable() for problem in read.problems)


@pytest.mark.parametrize(
    ("blob", "found"),
    [
        (Blob("groups/a.yaml", "", 0, MODE_LINK), "a symbolic link"),
        (Blob("groups/a.yaml", "", 0, MODE_SUBMODULE), "a submodule"),
        (Blob("groups/a.yaml", "", 0, MODE_OTHER), "no regular file"),
        (Blob("groups/a.yaml", "", FILE_BYTES_MAX + 1, MODE_FILE), "1048577 bytes"),
        (Blob("groups/\udcff.yaml", "", 1, MODE_FILE), "a file name that cannot be printed"),
    ],
)
def test_what_is_no_plain_file_is_never_read(blob: Blob, found: str) -> None:
    """
    Links, submodules, pipes and files over 1 MiB are refused by name, mode and size alone.
    """
    problem = refused(blob)

    assert problem is not None
    assert (1, "", found) == (problem.line, problem.field, problem.found)
    assert problem.file.isprintable()
    assert refused(Blob("groups/a.yaml", "x", FILE_BYTES_MAX, MODE_FILE)) is None
