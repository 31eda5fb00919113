"""Settings: where they come from, which one wins, and what is refused, each time with a sentence that helps."""

from collections import UserDict
from datetime import timedelta
from pathlib import Path

import pytest

from controller.settings import SETTINGS, Address, LogFormat, Mode, Setting, StatusChannel, load_settings, not_set
from tests.settings.builders import a_toml_file, loaded, refusal


def test_without_any_word_the_defaults_hold() -> None:
    """
    An empty environment gives every default of the documentation, and the ledger in the home's state folder.
    """
    settings = loaded()

    assert settings.repository is None
    assert "main" == settings.branch
    assert Mode.APPLY is settings.mode
    assert timedelta(seconds=60) == settings.interval
    assert timedelta(seconds=6) == settings.jitter
    assert timedelta(minutes=10) == settings.stale_after
    assert Path("/home/ana/.local/state/wavefleet/wavefleet-ledger.db") == settings.ledger
    assert Path("/home/ana/.local/state/wavefleet/git") == settings.cache
    assert StatusChannel.NOTES is settings.status_channel
    assert Address("127.0.0.1", 8080) == settings.listen
    assert LogFormat.AUTO is settings.log_format
    assert () == settings.secrets()


class ProcessEnvironment(UserDict[str, str]):
    """An environment that takes text alone as a name, as the process's own does."""

    def __contains__(self, name: object) -> bool:
        """Refuse what is no text."""
        if not isinstance(name, str):
            raise TypeError(f"str expected, not {type(name).__name__}")
        return super().__contains__(name)


def test_the_environment_of_a_process_will_do() -> None:
    """
    ``os.environ`` is no dict: it fails where it is asked for a name that is no text.
    """
    assert (
        "release" == load_settings({}, ProcessEnvironment({"HOME": "/home/ana", "WAVEFLEET_BRANCH": "release"})).branch
    )


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """
    Precedence is flag, environment, TOML file, default; a flag that was not given (None) does not count.
    """
    toml = a_toml_file(tmp_path, "interval = '40s'\nbranch = 'from-file'\nmode = 'observe'\n")
    environment = {"WAVEFLEET_INTERVAL": "50s", "WAVEFLEET_BRANCH": "from-environment"}

    settings = loaded(environment, flags={"interval": "55s", "branch": None}, toml=toml)

    assert timedelta(seconds=55) == settings.interval
    assert "from-environment" == settings.branch
    assert Mode.OBSERVE is settings.mode


def test_the_flag_for_the_settings_file_wins_over_its_variable(tmp_path: Path) -> None:
    """
    ``--settings`` names another file than ``WAVEFLEET_SETTINGS``, which is then not even looked at.
    """
    toml = a_toml_file(tmp_path, "branch = 'release'\n")

    settings = loaded({"WAVEFLEET_SETTINGS": "/nowhere.toml"}, flags={"settings": toml})

    assert "release" == settings.branch


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_its_three_names(setting: Setting) -> None:
    """
    One name gives the variable, the key and the flag; a secret's key and flag name a file and never hold it.
    """
    assert f"WAVEFLEET_{setting.name.upper()}" == setting.env
    assert setting.is_secret == setting.key.endswith("_file")
    assert f"--{setting.key.replace('_', '-')}" == setting.flag
    assert setting.doc.endswith(".")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_setting_may_be_empty(setting: Setting) -> None:
    """
    Empty and unset are different things: an empty value is refused by the name of its variable.
    """
    assert f"{setting.env}: found nothing, expected" in refusal({setting.env: ""})


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_name_of_a_setting_looks_like_one_of_kubernetes(setting: Setting) -> None:
    """
    A variable that Kubernetes could set for a Service is passed over, so no setting may be called like one.
    """
    assert not setting.env.endswith(("_PORT", "_SERVICE_HOST", "_ADDR"))


def test_what_kubernetes_sets_in_every_pod_is_passed_over() -> None:
    """
    In a namespace with Services ``wavefleet`` and ``wavefleet-web`` every pod gets such variables; it starts anyway.
    """
    settings = loaded(
        {
            "WAVEFLEET_SERVICE_HOST": "10.0.0.1",
            "WAVEFLEET_SERVICE_PORT_HTTP": "8080",
            "WAVEFLEET_PORT": "tcp://10.0.0.1:8080",
            "WAVEFLEET_WEB_PORT_8080_TCP_ADDR": "10.0.0.1",
        }
    )

    assert "main" == settings.branch


def test_an_unknown_variable_is_refused_with_the_nearest_one() -> None:
    """
    A misspelt safety setting must not be passed over in silence.
    """
    assert "WAVEFLEET_STALEAFTER: found no such setting, expected WAVEFLEET_STALE_AFTER perhaps" == refusal(
        {"WAVEFLEET_STALEAFTER": "5m"}
    )


def test_a_variable_that_is_near_to_nothing_is_refused_with_all_of_them() -> None:
    """
    Where no name is near, the whole list is the help.
    """
    said = refusal({"WAVEFLEET_XYZZY": "1"})

    assert all(setting.env in said for setting in SETTINGS)


def test_an_unknown_key_is_refused_with_file_key_and_the_nearest_one(tmp_path: Path) -> None:
    """
    A wrong key of the TOML file is told as FILE: KEY.
    """
    toml = a_toml_file(tmp_path, "intervals = '60s'\n")

    assert f"{toml}: intervals: found no such setting, expected interval perhaps" == refusal(toml=toml)


@pytest.mark.parametrize("entry", ["interval = 60", "interval = 00:01:00", "[interval]\nseconds = 60", "branch = true"])
def test_a_value_of_the_file_is_text(tmp_path: Path, entry: str) -> None:
    """
    TOML's own types are refused: a bare 60 does not say of what.
    """
    assert "expected a string in quotes" in refusal(toml=a_toml_file(tmp_path, entry))


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    """
    The parser's own place is part of the sentence.
    """
    toml = a_toml_file(tmp_path, "branch = 'main'\ninterval: 60s\n")

    said = refusal(toml=toml)

    assert said.startswith(f"{toml}: found no valid TOML (")
    assert "line 2" in said


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"x" * ((1 << 20) + 1), "more than 1048576 bytes"), (b"branch = '\xff'", "that are no UTF-8")],
    ids=["too large", "no text"],
)
def test_a_settings_file_is_a_small_text(tmp_path: Path, content: bytes, found: str) -> None:
    """
    A file that is too large, or no text, is refused before anything parses it.
    """
    file = tmp_path / "wavefleet.toml"
    file.write_bytes(content)

    assert found in refusal(toml=str(file))


def test_a_settings_file_that_is_not_there_is_refused_by_who_named_it() -> None:
    """
    The variable or the flag that names the file is to blame, not the file.
    """
    missing = "/nowhere/missing.toml"

    assert refusal(toml=missing).startswith(f"WAVEFLEET_SETTINGS: found no file '{missing}'")
    assert refusal(flags={"settings": missing}).startswith(f"--settings: found no file '{missing}'")


def test_a_head_must_be_able_to_stay_fresh() -> None:
    """
    A head is confirmed once per interval: a shorter limit would make it stale in every cycle.
    """
    assert "WAVEFLEET_STALE_AFTER: found '60s', expected longer than the interval, 1m" == refusal(
        {"WAVEFLEET_STALE_AFTER": "60s"}
    )
    assert "WAVEFLEET_STALE_AFTER: found the default, 10m" in refusal({"WAVEFLEET_INTERVAL": "10m"})


def test_the_jitter_stays_within_the_interval() -> None:
    """
    Jitter may be nothing and may be as long as the interval, and no longer.
    """
    assert timedelta(0) == loaded({"WAVEFLEET_JITTER": "0s"}).jitter
    assert timedelta(seconds=60) == loaded({"WAVEFLEET_JITTER": "60s"}).jitter
    assert "WAVEFLEET_JITTER: found '61s'" in refusal({"WAVEFLEET_JITTER": "61s"})


def test_the_state_folder_of_the_environment_is_used_where_it_is_absolute() -> None:
    """
    ``XDG_STATE_HOME`` counts, but a relative one is invalid by its specification and passed over.
    """
    assert Path("/var/lib/wavefleet/wavefleet-ledger.db") == loaded({"XDG_STATE_HOME": "/var/lib"}).ledger
    assert Path("/home/ana/.local/state/wavefleet/wavefleet-ledger.db") == loaded({"XDG_STATE_HOME": "state"}).ledger


def test_a_setting_that_is_needed_says_all_the_ways_to_set_it() -> None:
    """
    The error of a command that needs an unset setting names variable, flag and key.
    """
    said = str(not_set("slack_token", "a token that may post"))

    assert said.startswith("WAVEFLEET_SLACK_TOKEN: found nothing, expected a token that may post; set ")
    assert "WAVEFLEET_SLACK_TOKEN_FILE, the flag --slack-token-file, or the key slack_token_file" in said


def test_a_long_value_is_shown_in_part() -> None:
    """
    A message stays readable whatever was given.
    """
    assert 300 > len(refusal({"WAVEFLEET_MODE": "x" * 4000}))
    assert "found 5000 characters, expected at most 4096" in refusal({"WAVEFLEET_MODE": "x" * 5000})
