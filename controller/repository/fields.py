"""Reads the fields of a document that the schema has judged, and remembers where each value was written.

What is absent and what the schema refused read the same: None. So the rest of a wrong document is read too, and
all its problems are told at once; whoever concludes from an absence asks ``broken`` first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controller.errors import Problem
from controller.model.places import Place
from controller.repository.files import PROBLEMS_PER_FILE_MAX, Document, Node, shown
from controller.repository.paths import Path, field_at

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Word:
    """A text, and where it was written."""

    text: str
    place: Place
    field: str

    def problem(self, expected: str, *, found: str = "") -> Problem:
        """Return the problem that this text is; ``found`` says more than the text itself."""
        return Problem(self.place.file, self.place.line, self.field, found or shown(self.text), expected)


class Fields:
    """The fields of one object; what they hold is read by the name of a field."""

    def __init__(self, file: str, node: Node, path: Path, problems: list[Problem]) -> None:
        self._file = file
        self._node = node
        self._path = path
        self._problems = problems

    @classmethod
    def of(cls, document: Document, problems: list[Problem]) -> "Fields":
        """Return the document's own fields; what cannot be read is noted in ``problems``."""
        return cls(document.file, document.root, (), problems)

    @property
    def place(self) -> Place:
        """Where this object begins."""
        return Place(self._file, self._node.line)

    def has(self, key: str) -> bool:
        """Tell whether the field was written, and not refused."""
        return self._value(key) is not None

    def is_absent(self, key: str) -> bool:
        """Tell whether nobody wrote the field, neither rightly nor wrongly."""
        return not isinstance(self._node.value, dict) or key not in self._node.value

    def word(self, key: str) -> Word | None:
        """Return the text of a field with its place."""
        node = self._value(key)
        return self._word(node, (*self._path, key)) if node is not None and isinstance(node.value, str) else None

    def read(self, key: str, parse: Callable[[str], T]) -> T | None:
        """Return what the text of a field stands for; where it stands for nothing, that is a problem."""
        word = self.word(key)
        return None if word is None else self.parsed(word, parse)

    def parsed(self, word: Word, parse: Callable[[str], T]) -> T | None:
        """Return what ``word`` stands for; where it stands for nothing, that is a problem.

        Where there are very many problems already, nothing more is looked at.
        """
        if len(self._problems) >= PROBLEMS_PER_FILE_MAX:
            return None
        try:
            return parse(word.text)
        except ValueError as error:
            self._problems.append(word.problem(str(error)))
            return None

    def words(self, key: str) -> tuple[Word, ...]:
        """Return the texts of a list; nothing where there is none."""
        path = (*self._path, key)
        items = enumerate(self._items(key))
        return tuple(self._word(item, (*path, index)) for index, item in items if isinstance(item.value, str))

    def fields(self, key: str) -> "Fields":
        """Return the fields of a field; none where there is none."""
        node = self._value(key)
        if node is None or not isinstance(node.value, dict):
            node = Node({}, self._node.line)
        return Fields(self._file, node, (*self._path, key), self._problems)

    def each(self, key: str) -> "tuple[Fields, ...]":
        """Return the objects of a list; nothing where there is none."""
        path = (*self._path, key)
        items = enumerate(self._items(key))
        return tuple(
            Fields(self._file, item, (*path, index), self._problems)
            for index, item in items
            if isinstance(item.value, dict)
        )

    def texts(self, key: str) -> Mapping[str, str]:
        """Return a field whose own fields are texts, such as labels."""
        node = self._value(key)
        fields = node.value if node is not None and isinstance(node.value, dict) else {}
        return {name: child.value for name, child in fields.items() if isinstance(child.value, str)}

    def where(self, key: str = "") -> Word:
        """Return the place of a field, or of this object, as a word without text."""
        path = (*self._path, key) if key else self._path
        node = self._value(key) if key else None
        return Word("", Place(self._file, (node or self._node).line), field_at(path))

    def note(self, key: str, found: str, expected: str) -> None:
        """Note a problem of a field, or of this object where ``key`` is empty."""
        self._problems.append(self.where(key).problem(expected, found=found))

    def _word(self, node: Node, path: Path) -> Word:
        assert isinstance(node.value, str)
        return Word(node.value, Place(self._file, node.line), field_at(path))

    def _value(self, key: str) -> Node | None:
        node = self._node.value.get(key) if isinstance(self._node.value, dict) else None
        return node if node is not None and node.value is not None else None

    def _items(self, key: str) -> list[Node]:
        node = self._value(key)
        return node.value if node is not None and isinstance(node.value, list) else []
