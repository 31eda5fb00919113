"""Secrets: how they come in, and that nothing shows them."""

import dataclasses
from pathlib import Path

import pytest

from controller.settings import Secret
from tests.settings.builders import TOKEN, a_secret_file, a_toml_file, loaded, refusal


def test_a_secret_comes_by_environment_or_from_a_file(tmp_path: Path) -> None:
    """
    Variable, variable of a file, flag of a file and key of a file all give the same secret, without its line break.
    """
    file = a_secret_file(tmp_path)
    ways = [
        loaded({"WAVEFLEET_GITEA_TOKEN": TOKEN}),
        loaded({"WAVEFLEET_GITEA_TOKEN_FILE": file}),
        loaded(flags={"gitea_token_file": file}),
        loaded(toml=a_toml_file(tmp_path, f"gitea_token_file = '{file}'\n")),
    ]

    assert [Secret(TOKEN)] * 4 == [settings.gitea_token for settings in ways]
    assert [(TOKEN,)] * 4 == [settings.secrets() for settings in ways]


def test_a_secret_in_the_settings_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    """
    Settings files are read by many and committed by some: a secret in one is refused, and the sentence says how else.
    """
    said = refusal(toml=a_toml_file(tmp_path, f"slack_token = '{TOKEN}'\n"))

    assert "slack_token: found a secret in a settings file" in said
    assert "slack_token_file = 'PATH'" in said
    assert TOKEN not in said


def test_a_secret_by_both_variables_is_refused(tmp_path: Path) -> None:
    """
    Which of the two would hold is a guess, so neither does.
    """
    said = refusal({"WAVEFLEET_GIT_TOKEN": TOKEN, "WAVEFLEET_GIT_TOKEN_FILE": a_secret_file(tmp_path)})

    assert said.startswith("WAVEFLEET_GIT_TOKEN: found beside WAVEFLEET_GIT_TOKEN_FILE")


@pytest.mark.parametrize(
    "content", ["two words", "line\nbreak", "snow☃man", "x" * 5000], ids=["space", "line", "sign", "long"]
)
def test_a_secret_that_can_be_none_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    """
    What would break a header is refused by where it was written and its length, never by its text.
    """
    file = a_secret_file(tmp_path, content)

    said = refusal({"WAVEFLEET_SLACK_TOKEN_FILE": file})

    assert said.startswith("WAVEFLEET_SLACK_TOKEN_FILE: found ")
    assert f"{len(content)} characters" in said
    assert content not in said


def test_a_secret_that_is_too_large_or_a_folder_is_refused(tmp_path: Path) -> None:
    """
    A wrong path must not read a disk into memory, or wait for a pipe.
    """
    large = a_secret_file(tmp_path, "x" * 70_000)

    assert "more than 65536 bytes" in refusal({"WAVEFLEET_GIT_TOKEN_FILE": large})
    assert "found no file" in refusal({"WAVEFLEET_GIT_TOKEN_FILE": str(tmp_path)})


def test_settings_never_show_a_secret() -> None:
    """
    Not by print, not by repr, not by asdict: only ``reveal`` gives the text.
    """
    settings = loaded({"WAVEFLEET_GITHUB_TOKEN": TOKEN, "WAVEFLEET_SLACK_TOKEN": "xoxb-1"})

    shown = f"{settings} {settings!r} {dataclasses.asdict(settings)} {settings.github_token}"

    assert TOKEN not in shown
    assert "xoxb-1" not in shown
    assert settings.github_token is not None
    assert TOKEN == settings.github_token.reveal()
