"""Help, completion and wrong usage: quick, complete, and told by exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller import __version__
from controller.settings import SETTINGS
from tests.cli.worlds import Desk, run

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "run",
    "cycle",
    "plan",
    "status",
    "explain",
    "history",
    "halt",
    "resume",
    "check",
    "validate",
    "simulate",
    "demo",
    "lab",
)
WITH_ALL_SETTINGS = ("run", "cycle", "check")
WITH_SETTINGS = (*WITH_ALL_SETTINGS, "plan", "status", "explain", "history", "halt", "resume")
SLOW = (
    "apscheduler",
    "git",
    "github",
    "jsonschema",
    "kafka",
    "kubernetes",
    "prometheus_client",
    "requests",
    "rich",
    "slack_sdk",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
)


def test_help_lists_every_command_with_a_whole_sentence() -> None:
    """
    Nothing is cut on a terminal of 80 columns, and the exit codes are told.
    """
    text = run("--help").out

    listed = [line.split() for line in text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert set(COMMANDS) == {words[0] for words in listed}
    assert all(words[-1].endswith(".") and "..." not in words[-1] for words in listed), listed
    assert "Exit codes: 0 good, 1 wrong input, 2 wrong usage, 3 " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    """
    With a sentence that says what it does.
    """
    text = run(command, "--help").out

    assert text.startswith(f"Usage: wavefleet {command} ")
    assert "``" not in text


@pytest.mark.parametrize("command", WITH_ALL_SETTINGS)
def test_every_setting_is_a_flag_with_its_default(command: str) -> None:
    """
    Under a heading of its own, behind the command's own options.
    """
    own, heading, settings = run(command, "--help").out.partition("Settings (each also WAVEFLEET_NAME")

    assert heading
    for setting in SETTINGS:
        assert f"  {setting.flag} " in settings, setting.flag
        assert f"{setting.flag} " not in own, setting.flag
    assert "[default: 60s]" in " ".join(settings.split())


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_every_setting_is_taken_by_every_command(command: str) -> None:
    """
    Also where help does not list it, since it does not matter there: one environment or file serves all commands.
    """
    name = ["name"] if command == "explain" else []

    done = run(command, *name, *(["--reason", "x"] if command == "halt" else []), "--interval", "soon", code=2)

    assert "wavefleet: --interval: found 'soon', expected a duration from " in done.err


def test_commands_that_need_only_the_ledger_list_only_that() -> None:
    """
    Whoever halts a fleet at night reads no page of settings.
    """
    text = run("halt", "--help").out

    assert "--ledger PATH" in text
    assert "--slack-url" not in text


def test_whoever_asks_brokers_lists_what_they_are_asked_with() -> None:
    """
    An explanation asks the brokers of its cluster; a plan asks nobody's, and lists none of it.
    """
    flags = ("--kafka-credentials", "--kafka-username", "--kafka-password-file")

    assert [] == [flag for flag in flags if f"  {flag} " not in run("explain", "--help").out]
    assert [] == [flag for flag in flags if f"  {flag} " in run("plan", "--help").out]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_slow(command: str) -> None:
    """
    What takes long to import is imported where it is used: help and completion are there at once.
    """
    code = (
        "import sys\nfrom controller.cli.main import main\n"
        f"sys.argv = ['wavefleet', {command!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write(' '.join(name for name in {SLOW!r} if name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert "" == done.stderr
    assert "Usage: wavefleet" in done.stdout


def test_version_is_told() -> None:
    """
    As ``wavefleet VERSION``.
    """
    assert f"wavefleet {__version__}\n" == run("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("plan", "--nonsense"),
        ("plan", "surplus"),
        ("plan", "-o", "yaml"),
        ("status", "-o", "md"),
        ("plan", "--at", "yesterday"),
        ("plan", "--at", "0001-01-01T00:00+05:00"),
        ("explain",),
        ("history", "--limit", "many"),
        ("halt", "--reason", "x", "--wait", "-1"),
        ("resume", "--number", "0"),
        ("lab",),
        ("lab", "up"),
        ("run", "--mode", "watch"),
        ("run", "--settings", "/nowhere/settings.toml"),
        ("cycle", "--stale-after", "10s", "--interval", "1m"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    """
    And says what is wrong on standard error alone, or shows the help where no command was given.
    """
    done = run(*arguments, code=2)

    assert done.err or "Usage: wavefleet lab" in done.out
    assert "Traceback" not in done.err


def test_a_misspelt_setting_in_the_environment_is_refused(desk: Desk) -> None:
    """
    A safety setting that is passed over in silence would be worse than a start that fails.
    """
    desk.settings["stale_aftr"] = "1h"

    assert "WAVEFLEET_STALE_AFTR: found no such setting, expected WAVEFLEET_STALE_AFTER" in desk.run("plan", code=2).err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("wavefleet pl", {"plan"}),
        ("wavefleet r", {"run", "resume"}),
        ("wavefleet run --mode ", {"apply", "observe"}),
        ("wavefleet plan -o ", {"text", "json", "md"}),
        ("wavefleet lab ", {"up", "down", "status", "break", "mend", "load", "verify", "tour"}),
        ("wavefleet status --fail", {"--fail-on-hold"}),
    ],
)
def test_the_shell_completes(typed: str, offered: set[str]) -> None:
    """
    Commands, options and the words that a setting may be, as bash asks for them.
    """
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    environment = {**os.environ, **words, "_WAVEFLEET_COMPLETE": "complete_bash"}
    command = [sys.executable, "-m", "controller"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)

    assert offered == set(done.stdout.split())


def test_completion_can_be_shown_for_the_present_shell() -> None:
    """
    The script is for ``wavefleet``, also where the program was started as a module.
    """
    command = ["bash", "-c", f"{sys.executable} -m controller --show-completion; true"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert "complete -o default -F _wavefleet_completion wavefleet" in done.stdout
