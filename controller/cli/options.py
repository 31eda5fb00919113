"""Options that commands share: every setting as a flag, made from the one table of settings, and ``-o``."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from controller import wiring
from controller.cli.exits import exit_codes
from controller.settings import SETTINGS, SETTINGS_FILE_FLAG, Settings, load_settings

_PANEL = "Settings (each also WAVEFLEET_NAME in the environment, or a key of the settings file)"


class Output(StrEnum):
    """How a reading command prints."""

    TEXT = "text"
    JSON = "json"


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "md"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print: text, or JSON by its schema.")]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` its keyword ``settings``, read from flags, environment and file; errors become exit codes."""
    plain = inspect.signature(command)
    own = [parameter for name, parameter in plain.parameters.items() if name != "settings"]
    flags = [_flag("settings_file", SETTINGS_FILE_FLAG, "The TOML file with settings.")]
    flags += [_flag(_name(setting.key), setting.flag, setting.doc) for setting in SETTINGS]
    names = {_name(setting.key): setting.key for setting in SETTINGS} | {"settings_file": "settings"}

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:  # noqa: ANN401 - whatever the command's own parameters are
        given = {key: values.pop(name) for name, key in names.items()}
        with exit_codes():
            settings: Settings = load_settings(given, os.environ)
            wiring.log_to(sys.stderr, settings)
            command(**values, settings=settings)

    wrapped.__signature__ = plain.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *flags)}
    return wrapped


def _name(key: str) -> str:
    return f"setting_{key}"


def _flag(name: str, flag: str, doc: str) -> inspect.Parameter:
    option = typer.Option(flag, help=doc, rich_help_panel=_PANEL, show_default=False)
    annotation = Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
