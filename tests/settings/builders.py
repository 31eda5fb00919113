"""Builders of settings, so that a test names only what it is about."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.settings import Settings, load_settings

HOME = {"HOME": "/home/ana"}
TOKEN = "gt-0123456789abcdef"


def loaded(
    environment: Mapping[str, str] | None = None,
    *,
    flags: Mapping[str, str | None] | None = None,
    toml: str | None = None,
) -> Settings:
    """Load settings in a home of Ana's; ``toml`` is the path of a settings file."""
    environment = HOME | dict(environment or {})
    if toml is not None:
        environment["WAVEFLEET_SETTINGS"] = toml
    return load_settings(flags or {}, environment)


def refusal(
    environment: Mapping[str, str] | None = None,
    *,
    flags: Mapping[str, str | None] | None = None,
    toml: str | None = None,
) -> str:
    """Return the sentence with which these settings are refused."""
    with pytest.raises(SettingsError) as refused:
        loaded(environment, flags=flags, toml=toml)
    return str(refused.value)


def a_toml_file(folder: Path, content: str) -> str:
    """Write a settings file and return its path."""
    file = folder / "wavefleet.toml"
    file.write_text(content, encoding="utf-8")
    return str(file)


def a_secret_file(folder: Path, content: str = TOKEN + "\n") -> str:
    """Write the file of a secret, with the line break that editors add, and return its path."""
    file = folder / "token"
    file.write_text(content, encoding="utf-8")
    return str(file)
