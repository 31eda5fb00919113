"""Options that commands share: every setting as a flag, made from the one table of settings, and ``-o``."""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from controller.cli.exits import exit_codes
from controller.settings import SETTINGS, SETTINGS_FILE_FLAG, Setting, Settings, load_settings
from controller.settings.kinds import LogLevel

OF_THE_LEDGER = ("ledger",)
"""The settings that ``--help`` shows for commands that only need the ledger; the others are taken, too."""
OF_THE_REPOSITORY = (
    *("repository", "branch", "ledger", "cache", "source_timeout", "git_timeout"),
    *("git_username", "git_token", "ssh_key", "ssh_known_hosts", "allow_http"),
)
"""Those of commands that judge without saying anything to anybody."""
OF_THE_BROKERS = (*OF_THE_REPOSITORY, "kafka_credentials", "kafka_username", "kafka_password")
"""Those of commands that ask brokers, too."""
OF_ALL = tuple(setting.name for setting in SETTINGS)

_PANEL = "Settings"
_HEADING = "Settings (each also WAVEFLEET_NAME in the environment, or a key of the settings file)"
_PREFIX = "setting_"


class Output(StrEnum):
    """How a reading command prints."""

    TEXT = "text"
    JSON = "json"


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "md"


class SimulateOutput(StrEnum):
    """How a simulation is printed."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print; JSON has a schema in schemas/.")]
FailOnHold = Annotated[bool, typer.Option("--fail-on-hold", help="Exit with 3 where something is held or halted.")]


class SettingsCommand(TyperCommand):
    """A command whose help tells its own options first, and settings under a heading of their own."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer keeps these types private
        """Write arguments, options and settings."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], _HEADING: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_setting = getattr(parameter, "rich_help_panel", None) == _PANEL
            is_argument = parameter.param_type_name == "argument"
            sections[_HEADING if is_setting else "Arguments" if is_argument else "Options"].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def with_settings(
    command: Callable[..., None], shown: Collection[str] = OF_ALL, *, answers: bool = False
) -> Callable[..., None]:
    """Give ``command`` its keyword ``settings``, read from flags, environment and file; errors become exit codes.

    ``shown`` names the settings that its help lists. One that ``answers`` a person says all in its answer, and logs
    nothing of less weight than a warning beside it, unless ``debug`` is asked for.
    """
    plain = inspect.signature(command)
    own = [parameter for name, parameter in plain.parameters.items() if name != "settings"]
    flags = [_flag("settings_file", SETTINGS_FILE_FLAG, _option("The TOML file with settings.", "FILE"))]
    flags += [_flag(_PREFIX + it.key, it.flag, _setting_option(it, hidden=it.name not in shown)) for it in SETTINGS]
    names = {_PREFIX + setting.key: setting.key for setting in SETTINGS} | {"settings_file": "settings"}

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:  # noqa: ANN401 - whatever the command's own parameters are
        from controller.wiring.parts import log_to

        given = {key: values.pop(name) for name, key in names.items()}
        with exit_codes():
            settings: Settings = load_settings(given, os.environ)
            is_mild = answers and settings.log_level is LogLevel.INFO
            log_to(sys.stderr, replace(settings, log_level=LogLevel.WARNING) if is_mild else settings)
            command(**values, settings=settings)

    wrapped.__signature__ = plain.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *flags)}
    return wrapped


def _setting_option(setting: Setting, *, hidden: bool) -> dict[str, Any]:
    words = _choices(setting)
    text = f"{setting.doc} [default: {setting.default_words}]"
    option = _option(text, "|".join(words) if words else _metavar(setting))
    if words:
        option["autocompletion"] = lambda: words
    return option | {"hidden": hidden}


def _option(text: str, metavar: str) -> dict[str, Any]:
    return {"help": text, "metavar": metavar, "rich_help_panel": _PANEL, "show_default": False}


def _flag(name: str, flag: str, option: dict[str, Any]) -> inspect.Parameter:
    annotation = Annotated[str | None, typer.Option(flag, **option)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _choices(setting: Setting) -> list[str]:
    """Return the words that the setting may be; none where it is no choice."""
    _, is_choice, words = setting.kind.expected.partition("one of ")
    return words.split(", ") if is_choice else []


def _metavar(setting: Setting) -> str:
    if setting.is_secret:
        return "FILE"
    kinds = {"a duration": "DURATION", "a path": "PATH", "the path": "FILE", "a URL": "URL", "HOST:PORT": "HOST:PORT"}
    return next((word for start, word in kinds.items() if setting.kind.expected.startswith(start)), "TEXT")
