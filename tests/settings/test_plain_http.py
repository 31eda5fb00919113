"""Plain http: to this machine always, to another one only where that is allowed by its own setting."""

import pytest

from controller.settings import SETTINGS
from tests.settings.builders import loaded, refusal

ADDRESSES = {
    "WAVEFLEET_REPOSITORY": "http://git.internal:3000/acme/fleet.git",
    "WAVEFLEET_GITEA_URL": "http://git.internal:3000",
    "WAVEFLEET_GITHUB_URL": "http://git.internal/api/v3",
    "WAVEFLEET_SLACK_URL": "http://gateway.internal/api",
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_plain_http_to_another_machine_is_refused_with_the_way_out(name: str) -> None:
    """
    Anybody on the way could read a token and change what is declared; whoever trusts the network says so.
    """
    sentence = refusal({name: ADDRESSES[name]})

    assert f"{name}: found '{ADDRESSES[name]}', plain http to another machine, expected https" in sentence
    assert "set WAVEFLEET_ALLOW_HTTP to true" in sentence


def test_plain_http_inside_a_trusted_network_may_be_allowed() -> None:
    """
    One setting for the repository, the forges and Slack's gateway.
    """
    settings = loaded({**ADDRESSES, "WAVEFLEET_ALLOW_HTTP": "true"})

    assert settings.allow_http
    assert ADDRESSES["WAVEFLEET_REPOSITORY"] == settings.repository
    assert ADDRESSES["WAVEFLEET_SLACK_URL"] == settings.slack_url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", "[::1]:3000"])
def test_plain_http_to_this_machine_needs_no_word(host: str) -> None:
    """
    What never leaves the machine can be read by nobody on the way.
    """
    settings = loaded(dict.fromkeys(ADDRESSES, f"http://{host}/acme/fleet"))

    assert not settings.allow_http


@pytest.mark.parametrize("word", ["yes", "1", "TRUE", "on"])
def test_a_switch_is_true_or_false(word: str) -> None:
    """
    Nothing else is guessed to be one of them.
    """
    sentence = refusal({"WAVEFLEET_ALLOW_HTTP": word})

    assert f"WAVEFLEET_ALLOW_HTTP: found '{word}', expected one of true, false" in sentence


def test_it_is_off_where_nothing_is_said() -> None:
    """
    Its default stands in the one table of settings.
    """
    (row,) = (setting for setting in SETTINGS if setting.name == "allow_http")

    assert "false" == row.default
    assert loaded().allow_http is False


def test_prometheus_may_be_asked_over_plain_http_but_not_with_a_token() -> None:
    """
    Inside a cluster it mostly is; only a token on the way is a secret.
    """
    url = {"WAVEFLEET_PROMETHEUS_URL": "http://prometheus.monitoring:9090/"}
    token = {"WAVEFLEET_PROMETHEUS_TOKEN": "prom-0123456789abcdef"}

    assert "http://prometheus.monitoring:9090" == loaded(url).prometheus_url
    sentence = refusal(url | token)
    assert "WAVEFLEET_PROMETHEUS_URL: found 'http://prometheus.monitoring:9090/', plain http to another" in sentence
    assert loaded(url | token | {"WAVEFLEET_ALLOW_HTTP": "true"}).prometheus_token is not None
