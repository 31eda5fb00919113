"""Strict YAML: the bytes of one file become nodes that keep every scalar as written and the line of every key.

YAML as a whole is too clever for a fleet: ``4.10`` becomes 4.1, ``on`` becomes true, a later key overrides an
earlier one in silence, and ten aliases make a billion nodes. So scalars stay text (the schema types them), and
what people do not need is refused where it stands: tabs, anchors, aliases, tags, duplicate keys. Composing from
libyaml's events, this module never expands, guesses or recurses deeply. It knows nothing of kinds and fields.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from controller.errors import Problem
from controller.repository.paths import Path, field_at
from controller.repository.tree import FILE_BYTES_MAX, MODE_EXECUTABLE, MODE_FILE, MODE_LINK, MODE_SUBMODULE, Blob

DEPTH_MAX = 16
NODES_MAX = 300_000
DOCUMENTS_MAX = 2_000
PROBLEMS_PER_FILE_MAX = 100
SCALAR_SHOWN_MAX = 80

_IN_KEY = -1
"""Stands in a path for a key that is more than text, so that its depth counts."""

_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!$)")
"""Control characters, line ends that reviewers do not see, and what makes them read another order."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value as written."""

    value: "str | dict[str, Node] | list[Node] | None"
    """Text, fields or a list; None where nothing is written."""
    line: int
    """Where people look for it: the line of its key, or its own where it is an item of a list."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    file: str
    root: Node


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What one file holds. Where there are problems, the documents serve to find more problems, nothing else."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    whole: bool
    """False where something kept us from reading it to its end: what is missing may well be in there."""


def refused(blob: Blob) -> Problem | None:
    """Return why an entry of the tree is not read at all, or None where it may be."""
    if not blob.path.isprintable():
        return Problem(ascii(blob.path), 1, "", "a file name that cannot be printed", "a name of printable characters")
    if blob.mode == MODE_LINK:
        return _whole(blob, "a symbolic link", "a file of this repository: copy the content here")
    if blob.mode == MODE_SUBMODULE:
        return _whole(blob, "a submodule", "a file of this repository: copy the content here")
    if blob.mode not in {MODE_FILE, MODE_EXECUTABLE}:
        return _whole(blob, "no regular file", "a file of this repository")
    if blob.size > FILE_BYTES_MAX:
        return _whole(blob, f"{blob.size} bytes", f"at most {FILE_BYTES_MAX} (1 MiB): split it into several files")
    return None


def read_file(file: str, content: bytes) -> ReadFile:
    """Read the documents of one file, strictly; raises nothing for any content."""
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        return ReadFile((), (_not_text(file, content, error),), whole=False)
    problems = tuple(_bad_characters(file, text))
    if problems:
        return ReadFile((), problems, whole=False)
    composer = _Composer(file)
    documents = composer.compose(text)
    return ReadFile(documents, tuple(composer.problems), composer.whole)


def shown(text: str) -> str:
    """Return ``text`` in quotes and shortened, so that a person sees what was written."""
    short = text if len(text) <= SCALAR_SHOWN_MAX else text[: SCALAR_SHOWN_MAX - 1] + "…"
    return "'" + "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short) + "'"


def _whole(blob: Blob, found: str, expected: str) -> Problem:
    return Problem(blob.path, 1, "", found, expected)


def _not_text(file: str, content: bytes, error: UnicodeDecodeError) -> Problem:
    if b"\0" in content:
        return Problem(file, 1, "", "a binary file", "YAML in UTF-8: save it as text")
    line = content.count(b"\n", 0, error.start) + 1
    found = f"the byte 0x{content[error.start]:02x}, which is no UTF-8"
    return Problem(file, line, "", found, "YAML in UTF-8: save it in that encoding")


def _bad_characters(file: str, text: str) -> Iterator[Problem]:
    if "\0" in text:
        yield Problem(file, 1, "", "a binary file", "YAML in UTF-8: save it as text")
        return
    told = 0
    for number, line in enumerate(text.split("\n"), start=1):
        found = "a tab" if "\t" in line else ""
        if (invisible := _INVISIBLE.search(line)) is not None:
            found = f"the invisible character U+{ord(invisible[0]):04X}"
        if found and told < PROBLEMS_PER_FILE_MAX:
            told += 1
            expected = "spaces" if found == "a tab" else "text without it: delete it"
            yield Problem(file, number, "", found, expected)


class _Broken(Exception):
    """The rest of the file cannot be read; the problem is already noted."""


class _Composer:
    """Makes nodes of libyaml's events, noting every problem on the way."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.whole = True
        self._file = file
        self._nodes = 0

    def compose(self, text: str) -> tuple[Document, ...]:
        documents: list[Document] = []
        events = yaml.parse(text, Loader=yaml.CSafeLoader)
        try:
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    root = self._node(next(events), events, (), None)
                    if root.value is not None:
                        documents.append(Document(self._file, root))
                    if len(documents) > DOCUMENTS_MAX:
                        self._stop(root.line, (), "too many documents", f"at most {DOCUMENTS_MAX} in one file")
        except yaml.YAMLError as error:
            self.problems.append(_unreadable(self._file, error))
            self.whole = False
        except _Broken:
            self.whole = False
        return tuple(documents)

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path, line: int | None) -> Node:
        """Compose one node; ``line`` is that of its key, where it has one."""
        line = _line(event) if line is None else line
        self._nodes += 1
        if self._nodes > NODES_MAX:
            self._stop(line, path, f"more than {NODES_MAX} values", "a smaller file: split it into several")
        self._refuse_cleverness(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return Node(event.value if event.value or event.style else None, line)
        if isinstance(event, yaml.AliasEvent):
            return Node(None, line)
        if len(path) >= DEPTH_MAX:
            self._stop(line, path, f"more than {DEPTH_MAX} levels", "the levels that the schema has")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._items(events, path), line)
        return Node(self._fields(events, path), line)

    def _items(self, events: Iterator[yaml.Event], path: Path) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items)), None))
        return items

    def _fields(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = _line(event)
            key = self._key(event, events, path)
            value = self._node(next(events), events, (*path, key), line)
            if key in fields:
                first = fields[key].line
                self._note(line, (*path, key), f"a second {shown(key)}", f"one; the first is in line {first}")
            else:
                fields[key] = value
        return fields

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> str:
        key = self._node(event, events, (*path, _IN_KEY), None)
        if key.value == "<<":
            self._note(key.line, path, "a merge key '<<'", "the fields themselves, written out")
        if isinstance(key.value, str):
            return key.value
        if not isinstance(event, yaml.AliasEvent):
            found = "an empty key" if key.value is None else "a key that is a list or has fields"
            self._note(key.line, path, found, "a key that is text")
        return ""

    def _refuse_cleverness(self, event: yaml.Event, path: Path) -> None:
        line = _line(event)
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            self._note(line, path, f"an alias {shown('*' + str(anchor))}", "the value itself, written out")
        elif anchor is not None:
            self._note(line, path, f"an anchor {shown('&' + anchor)}", "no anchor: delete it")
        if (tag := getattr(event, "tag", None)) is not None:
            self._note(line, path, f"a tag {shown(tag)}", "no tag: every scalar is text, typed by the schema")

    def _note(self, line: int, path: Path, found: str, expected: str) -> None:
        field = field_at(tuple(part for part in path if part != _IN_KEY))
        self.problems.append(Problem(self._file, line, field, found, expected))
        if len(self.problems) >= PROBLEMS_PER_FILE_MAX:
            raise _Broken

    def _stop(self, line: int, path: Path, found: str, expected: str) -> None:
        self._note(line, path, found, expected)
        raise _Broken


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None, "libyaml marks every event"
    return event.start_mark.line + 1


def _unreadable(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark is not None else 1
    why = " ".join(str(part) for part in (getattr(error, "context", ""), getattr(error, "problem", "")) if part)
    return Problem(file, line, "", f"text that is no YAML ({why or 'unreadable'})", "YAML: look at this line and above")
