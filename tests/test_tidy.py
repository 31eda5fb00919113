"""The rules of the house that no linter knows: sizes, words, docstrings, one clock, no mocks.

Each rule lists what breaks it with file and line, so that a failure reads as a list of things to mend. The rules look
at syntax trees of the package and of the tests, parsed once; a limit is never raised for a file, the file is made
smaller.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 60
CORE_FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 400
JUDGEMENT_LINES_MAX = 3500
"""Of ``core`` and ``model`` together, so that one can read the judgement in an afternoon."""
PARAMETERS_MAX = 5
"""Without ``self`` and ``cls``; keyword-only ones count, since a reader has to know them just the same."""

BANNED_WORDS = {
    "actual": "observed",
    "bake": "soak",
    "batch": "wave",
    "blackout": "freeze",
    "cooldown": "soak",
    "current": "observed, or a name that says which",
    "desired": "declared",
    "estate": "fleet",
    "goal": "target",
    "journal": "ledger",
    "killswitch": "halt",
    "reconcile": "cycle",
    "reconciler": "cycle",
    "reconciliation": "cycle",
    "rollback": "downgrade, or revert",
    "sha": "revision",
    "tick": "cycle",
    "common": "a name that says what",
    "data": "a name that says what",
    "handler": "a name that says what",
    "helper": "a name that says what",
    "helpers": "a name that says what",
    "info": "a name that says what",
    "manager": "a name that says what",
    "service": "a name that says what",
    "util": "a name that says what",
    "utils": "a name that says what",
}
"""Words for which the house has another one; looked for in what we name, not in what others have named."""

WORDS_OF_OTHERS = {
    "INFO": "a level of the standard library's logging",
    "_COPY_GOAL": "Maven's word for what it is asked to do",
    "service": "the parameter of Git's HTTP protocol",
}
"""Names that mean another's thing by its own name. A class that derives from another's may keep its base's word too."""

CLOCK_FILES = {
    "controller/runtime/clock.py",
    "controller/lab/operator.py",  # a process of its own, which stands for somebody else's operator
}
CLOCK_READINGS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "ctime", "localtime", "gmtime", "asctime"},
    "func": {"now", "current_timestamp", "current_time", "current_date"},
}
"""By the name in front of the dot; ``func`` is SQLAlchemy's, since a database has a clock too."""
CLOCK_IN_SQL = re.compile(r"CURRENT_(TIMESTAMP|TIME|DATE)\b|\b(datetime|julianday|unixepoch)\(\s*'now'")

NOTES_TO_SELF = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")
NOQA_WITH_REASON = re.compile(r"noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*[ -]+\w")
MOCKS = {"mock", "monkeypatch", "MonkeyPatch", "mocker", "MagicMock", "AsyncMock"}
TEXT_SUFFIXES = {".cfg", ".ini", ".json", ".md", ".py", ".sh", ".toml", ".yaml", ".yml"}
SKIPPED_FOLDERS = {"build", "dist", "node_modules"}


@cache
def python_files(folder: str) -> tuple[Path, ...]:
    """Return the Python files below one folder of the repository, in order."""
    return tuple(sorted((ROOT / folder).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse one file, once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def package_and_tests() -> tuple[Path, ...]:
    """Return every Python file that the rules are for."""
    return python_files("controller") + python_files("tests")


def place(path: Path, node: ast.AST | None = None) -> str:
    """Return ``FILE:LINE`` as an editor understands it."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def functions_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file, inner ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def expect_none(found: list[str]) -> None:
    """Fail with every finding on a line of its own, where there is one."""
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_functions_fit_on_a_screen() -> None:
    """
    No function is longer than a screen; core functions are shorter still.
    """
    too_long = []
    for path in package_and_tests():
        judges = {"core", "history"} & set(path.relative_to(ROOT).parts)
        limit = CORE_FUNCTION_LINES_MAX if judges else FUNCTION_LINES_MAX
        for node in functions_in(path):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > limit:
                too_long.append(f"{place(path, node)} {node.name} has {length} lines, limit {limit}")

    expect_none(too_long)


def lines_of_code(path: Path) -> int:
    """Return how many lines of a file are code: neither blank, comment, docstring nor import."""
    no_code = {
        line
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    no_token = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in no_token]
    return len({line for each in tokens[1:] for line in range(each.start[0], each.end[0] + 1)} - no_code)


def test_the_judgement_can_be_read_in_an_afternoon() -> None:
    """
    The lines of code of core and model together stay below their limit.
    """
    lines = sum(lines_of_code(path) for name in ("core", "model") for path in python_files(f"controller/{name}"))

    assert lines < JUDGEMENT_LINES_MAX


def test_files_can_be_read_in_one_go() -> None:
    """
    No file is longer than its limit.
    """
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in package_and_tests()}

    expect_none(
        [f"{place(path)} has {n} lines, limit {FILE_LINES_MAX}" for path, n in lengths.items() if n > FILE_LINES_MAX]
    )


def test_functions_take_few_parameters() -> None:
    """
    Past five parameters a value lacks its name. Commands are left out, whose parameters are the options people see.
    """
    too_many = []
    for path in python_files("controller"):
        for node in functions_in(path):
            count = len(parameters_of(node))
            if count > PARAMETERS_MAX and not is_command(path, node):
                too_many.append(f"{place(path, node)} {node.name} takes {count} parameters, limit {PARAMETERS_MAX}")

    expect_none(too_many)


def parameters_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of a function's parameters, without those of its own object."""
    arguments = node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in {"self", "cls"}]


def is_command(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function is a command of the command line."""
    return path.is_relative_to(ROOT / "controller/cli/commands") and not node.name.startswith("_")


def test_one_word_per_thing() -> None:
    """
    No module, class, function, parameter or variable of ours is named by a word that the house has another one for.
    """
    wrong = []
    for path in package_and_tests():
        for name, where in names_in(path):
            banned = [word for word in words_in(name) if word in BANNED_WORDS and name not in WORDS_OF_OTHERS]
            wrong += [f"{where} {name}: not {word!r}, but {BANNED_WORDS[word]}" for word in banned]

    expect_none(sorted(set(wrong)))


def names_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each name that a file gives to something of its own, with its place."""
    for part in path.relative_to(ROOT).with_suffix("").parts:
        yield part, place(path)
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.ClassDef(name=name, bases=bases):
                words_of_bases = {word for base in bases for word in words_in(ast.unparse(base).replace(".", "_"))}
                yield "_".join(word for word in words_in(name) if word not in words_of_bases), place(path, node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, place(path, node)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, place(path, node)
            case ast.alias(asname=str(name)):
                yield name, place(path, node)


def words_in(name: str) -> list[str]:
    """Split ``snake_case`` and ``PascalCase`` into words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def test_the_word_splitter_knows_both_spellings() -> None:
    """
    A banned word is found at any place of a name, and no other word is taken for it.
    """
    assert ["my", "data", "thing"] == words_in("MyDataThing")
    assert ["my", "data", "thing"] == words_in("my_data_thing")
    assert ["metadata"] == words_in("metadata")


def test_every_module_says_what_it_is_for() -> None:
    """
    Each file opens with a docstring of at least one sentence.
    """
    silent = [
        place(path) for path in package_and_tests() if len(ast.get_docstring(tree_of(path)) or "") < len("A word.")
    ]

    expect_none(silent)


def test_every_public_name_is_documented() -> None:
    """
    Public classes, functions and methods of the package have a docstring.
    """
    silent = []
    for path in python_files("controller"):
        silent += [
            f"{place(path, node)} {node.name}" for node in public_in(tree_of(path)) if not ast.get_docstring(node)
        ]

    expect_none(silent)


def public_in(scope: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield what a module or a public class offers to others; overloads are documented by what they overload."""
    for node in scope.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any(ast.unparse(decorator) in {"overload", "override"} for decorator in node.decorator_list):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public_in(node)


def test_every_test_states_its_promise() -> None:
    """
    Each test has a docstring whose words begin on the second line, and a name of several words.
    """
    wrong = []
    for path in python_files("tests"):
        for node in functions_in(path):
            if not node.name.startswith("test_"):
                continue
            if not (ast.get_docstring(node, clean=False) or "").startswith("\n"):
                wrong.append(f"{place(path, node)} {node.name} has no docstring that opens on its second line")
            if len(words_in(node.name)) < len(("test", "it", "works")):
                wrong.append(f"{place(path, node)} {node.name} is no sentence")

    expect_none(wrong)


def test_nothing_is_mocked() -> None:
    """
    Tests use real parts, or fakes that stand behind a port; none reaches into a module and changes it.
    """
    found = []
    for path in package_and_tests():
        for node in ast.walk(tree_of(path)):
            names: set[str] = set()
            match node:
                case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
                    names = {part for alias in imported for part in f"{module}.{alias.name}".split(".")}
                case ast.arg(arg=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                    names = {name}
            found += [f"{place(path, node)} {name}" for name in sorted(names & MOCKS)]

    expect_none(found)


def test_only_one_place_reads_the_clock() -> None:
    """
    The time comes in as an argument everywhere else, so that a cycle has one now and a simulation has its own.
    """
    found = []
    for path in python_files("controller"):
        if str(path.relative_to(ROOT)) not in CLOCK_FILES:
            found += [f"{place(path, node)} {what}" for node, what in clock_readings_in(tree_of(path))]

    expect_none(found)


def clock_readings_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield each place that reads a clock, also where it is only handed on or asked of a database."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if name in CLOCK_READINGS.get(owner, ()):
                    yield node, f"{owner}.{name}"
            case ast.ImportFrom(module="time", names=imported):
                for alias in imported:
                    if alias.name in CLOCK_READINGS["time"]:
                        yield node, f"time.{alias.name}"
            case ast.Constant(value=str(text)) if CLOCK_IN_SQL.search(text):
                yield node, "the database's clock"


@pytest.mark.parametrize(
    ("code", "readings"),
    [
        ("datetime.now(UTC)", ["datetime.now"]),
        ("dt.datetime.now(UTC)", ["datetime.now"]),
        ("x = field(default_factory=datetime.utcnow)", ["datetime.utcnow"]),
        ("from time import time", ["time.time"]),
        ("func.now()", ["func.now"]),
        ("text('SELECT CURRENT_TIMESTAMP')", ["the database's clock"]),
        ("time.monotonic(); clock.now(); self.now(); datetime.fromisoformat(x)", []),
    ],
)
def test_the_clock_rule_sees_every_way_to_read_one(code: str, readings: list[str]) -> None:
    """
    Called, handed on, imported, or left to the database; limits by a monotonic clock are no reading.
    """
    assert readings == [what for _, what in clock_readings_in(ast.parse(code))]


def test_nothing_is_left_for_later() -> None:
    """
    What is to be done stands in the tracker; a comment that promises it is forgotten.
    """
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if NOTES_TO_SELF.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}")

    expect_none(found)


def text_files() -> Iterator[Path]:
    """Yield the repository's own text files; what tools and builds have left in hidden folders is not ours."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and (path.suffix in TEXT_SUFFIXES or path.name in {"Dockerfile", "Makefile"}):
            yield path
    for folder in sorted(ROOT.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in SKIPPED_FOLDERS:
            yield from (path for path in sorted(folder.rglob("*")) if path.suffix in TEXT_SUFFIXES and path.is_file())


def test_ignored_rules_say_why() -> None:
    """
    Each ``noqa`` and ``type: ignore`` names its rule, and each ``noqa`` gives a reason behind it.
    """
    wrong = []
    for path in package_and_tests():
        for comment in comments_in(path):
            if "noqa" in comment.string and not NOQA_WITH_REASON.search(comment.string):
                wrong.append(f"{path.relative_to(ROOT)}:{comment.start[0]} {comment.string}")
            if "type: ignore" in comment.string and "type: ignore[" not in comment.string:
                wrong.append(f"{path.relative_to(ROOT)}:{comment.start[0]} {comment.string}")

    expect_none(wrong)


def comments_in(path: Path) -> list[tokenize.TokenInfo]:
    """Return the comments of one file."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return [token for token in tokens if token.type == tokenize.COMMENT]
