"""The image's recipe keeps its promises. No container engine is needed: the recipe is read, and its probe is run."""

import functools
import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile."""

    word: str
    arguments: str

    @property
    def exec_form(self) -> list[str]:
        """The command as a list; fails where it is written for a shell."""
        command: list[str] = json.loads(self.arguments)
        return command


@functools.cache
def stages() -> tuple[tuple[Instruction, ...], ...]:
    """Return the instructions of each stage, continued lines joined and comments left out."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, arguments = line.split(maxsplit=1)
        if word == "FROM":
            found.append([])
        found[-1].append(Instruction(word, arguments))
    return tuple(map(tuple, found))


def the(stage: int, word: str) -> list[Instruction]:
    """Return all instructions of one kind in one stage."""
    return [instruction for instruction in stages()[stage] if instruction.word == word]


def environment() -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(pair.split("=", 1) for one in the(1, "ENV") for pair in shlex.split(one.arguments))


def test_what_builds_the_image_stays_behind() -> None:
    """
    Two stages; the last takes one folder from the first and nothing from the build machine.
    """
    assert 2 == len(stages())
    assert ["--from=build /opt/wavefleet /opt/wavefleet"] == [copy.arguments for copy in the(1, "COPY")]


def test_both_stages_stand_on_the_same_python() -> None:
    """
    A folder of installed packages fits one release of Python, and no tag that means another one tomorrow is used.
    """
    images = [the(stage, "FROM")[0].arguments.removesuffix(" AS build") for stage in (0, 1)]

    assert images[0] == images[1]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", images[0])


def test_only_named_files_are_copied() -> None:
    """
    No ``COPY .``, no ``ADD``: every source is named, is there, and is let in by the allow-list.
    """
    copied = {source for copy in the(0, "COPY") for source in copy.arguments.split()[:-1]}
    let_in = {line[1:] for line in ignore_lines() if line.startswith("!")}

    assert let_in == copied
    assert not [instruction for stage in stages() for instruction in stage if instruction.word == "ADD"]
    assert [] == [source for source in copied if not (ROOT / source).exists()]
    assert [] == [source for source in copied if source.startswith((".", "/")) or "*" in source]


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    """
    Each folder that ``pyproject.toml`` makes a package of, and the files it names, reach the first stage.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = project["tool"]["setuptools"]["package-dir"].values()
    files = {project["project"]["readme"], *project["project"]["license-files"]}
    copied = {source for copy in the(0, "COPY") for source in copy.arguments.split()[:-1]}

    assert {"pyproject.toml", "requirements.lock", *folders, *files} == copied


def ignore_lines() -> list[str]:
    """Return the rules of the ignore file."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_a_build_sees_an_allow_list() -> None:
    """
    Everything is left out first; what comes after the exceptions takes only more out.
    """
    lines = ignore_lines()
    exceptions = [number for number, line in enumerate(lines) if line.startswith("!")]

    assert "*" == lines[0]
    assert list(range(1, len(exceptions) + 1)) == exceptions


def test_dependencies_are_the_locked_ones() -> None:
    """
    They are installed by hash and as wheels; our own wheel comes from the first stage and brings none.
    """
    commands = [run.exec_form[1:] for run in the(0, "RUN")]

    assert [
        "install", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.lock",
    ] == commands[1]  # fmt: skip
    assert ["wheel", "--no-deps", "--wheel-dir", "dist", "."] == commands[2]
    assert ["install", "--no-deps", "--no-index", "--find-links", "dist", "wavefleet"] == commands[3]


def test_it_runs_as_a_user_without_rights() -> None:
    """
    The user is a number, so that a cluster can see that it is not root; ssh needs it to have a name, too.
    """
    assert ["10001:10001"] == [user.arguments for user in the(1, "USER")]
    assert "--uid 10001 " in the(1, "RUN")[0].arguments
    words = [instruction.word for instruction in stages()[1]]
    assert "RUN" not in words[words.index("USER") :]


def test_all_it_writes_goes_to_the_volume() -> None:
    """
    With a read-only root nothing else can be written: home, temporary files, ledger and cache are in the volume.
    """
    folder = "/var/lib/wavefleet"
    variables = environment()
    settings = load_settings({}, variables)

    assert [folder] == [volume.arguments for volume in the(1, "VOLUME")]
    assert folder == variables["HOME"] == variables["TMPDIR"]
    assert Path(folder) == settings.ledger.parent == settings.cache.parent
    assert "1" == variables["PYTHONDONTWRITEBYTECODE"]


def test_assertions_stay_on() -> None:
    """
    They are safety here, so nothing may switch them off.
    """
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert "PYTHONOPTIMIZE" not in text
    assert not re.search(r'"-O+"|python\S* -O', text)


def test_signals_reach_the_daemon() -> None:
    """
    No shell stands between: the entry point is a list, and SIGTERM ends it.
    """
    assert ["tini", "--", "wavefleet"] == the(1, "ENTRYPOINT")[0].exec_form
    assert ["run"] == the(1, "CMD")[0].exec_form
    assert ["SIGTERM"] == [signal.arguments for signal in the(1, "STOPSIGNAL")]


def test_no_secret_and_no_other_setting_is_part_of_the_image() -> None:
    """
    The one setting that a container must have different is where it listens.
    """
    assert ["WAVEFLEET_LISTEN"] == [name for name in environment() if name.startswith("WAVEFLEET_")]
    assert ["8080"] == [port.arguments for port in the(1, "EXPOSE")]
    assert not [instruction for stage in stages() for instruction in stage if instruction.word == "ARG"]


class Health(http.server.BaseHTTPRequestHandler):
    """Answers every request with the status that its server was given."""

    def do_GET(self) -> None:
        """Answer, and remember what was asked."""
        status, asked = self.server.health  # type: ignore[attr-defined]
        asked.append(self.path)
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@pytest.fixture
def listening(request: pytest.FixtureRequest) -> Iterator[tuple[int, list[str]]]:
    """Serve one status on a free port; gives the port and the paths that were asked for."""
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        asked: list[str] = []
        server.health = (request.param, asked)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


def probe(port: int) -> int:
    """Run the image's own health check against a port of this machine and return its exit code."""
    (check,) = the(1, "HEALTHCHECK")
    command = json.loads(check.arguments[check.arguments.index("CMD [") + len("CMD ") :])
    assert "python" == command[0]
    variables = os.environ | {"WAVEFLEET_LISTEN": f"0.0.0.0:{port}", "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, *command[1:]], env=variables, timeout=30, check=False, capture_output=True
    ).returncode


@pytest.mark.parametrize(("listening", "code"), [(200, 0), (503, 1)], indirect=["listening"])
def test_the_health_check_tells_well_from_ill(listening: tuple[int, list[str]], code: int) -> None:
    """
    It asks ``/healthz`` on the port that is set, past any proxy, and fails where the answer is not 200.
    """
    port, asked = listening

    assert code == probe(port)
    assert ["/healthz"] == asked


@pytest.mark.parametrize("listening", [200], indirect=True)
def test_the_health_check_fails_where_nobody_listens(listening: tuple[int, list[str]]) -> None:
    """
    A daemon that is gone is ill.
    """
    port, _ = listening
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as closed:
        free = closed.server_address[1]

    assert port != free
    assert 1 == probe(free)
