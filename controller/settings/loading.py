"""Where the texts of settings come from: flags, the environment, one TOML file, defaults; in this order.

Everything unknown is refused with the nearest known name, because a misspelt safety setting that is passed over in
silence is worse than a start that fails. The environment is handed in and never read here, so that a test or a
command sees exactly what it gives. Messages show where, found and expected, and never a secret.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller.errors import SettingsError
from controller.model.durations import format_duration
from controller.settings.kinds import Secret, StatusChannel, is_plain_http_elsewhere
from controller.settings.table import ENV_PREFIX, SETTINGS, SETTINGS_FILE_ENV, SETTINGS_FILE_FLAG, Setting, Settings

TEXT_LENGTH_MAX = 4096
FILE_BYTES_MAX = 1 << 20
SECRET_BYTES_MAX = 64 << 10
SHOWN_LENGTH_MAX = 80

_KUBERNETES = re.compile(
    r"WAVEFLEET_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What the kubelet sets in every pod for a Service called ``wavefleet`` or ``wavefleet-…``; nobody wrote it for us."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A text with the place where a person wrote it."""

    text: str
    where: str
    names_file: bool = False
    """It is the path of a secret's file."""


def load_settings(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Return the settings that flags, environment, TOML file and defaults give together.

    ``flags`` holds option texts by ``Setting.key`` (and ``settings``, the TOML file); None is an option not given.
    Raises SettingsError.
    """
    _refuse_unknown_environment(environment)
    written = _read_toml(flags, environment)
    given = {setting.name: _given(setting, flags, environment, written) for setting in SETTINGS}
    values = {setting.name: _value(setting, given[setting.name]) for setting in SETTINGS}
    _derive(values, environment)
    settings = Settings(**values)
    _refuse_contradictions(settings, given)
    return settings


def not_set(name: str, expected: str) -> SettingsError:
    """Return the error for a setting that may be unset in general, but not here; ``expected`` says what for."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    file_env = f" or {setting.file_env}" if setting.file_env else ""
    return SettingsError(
        f"{setting.env}: found nothing, expected {expected}; "
        f"set {setting.env}{file_env}, the flag {setting.flag}, or the key {setting.key} of the settings file"
    )


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    known = {SETTINGS_FILE_ENV} | {setting.env for setting in SETTINGS}
    known |= {setting.file_env for setting in SETTINGS if setting.file_env}
    for name in sorted(environment):
        if name.startswith(ENV_PREFIX) and name not in known and not _KUBERNETES.fullmatch(name):
            raise SettingsError(f"{name}: found no such setting, expected {_nearest(name, known)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    # The prefix is the same in every name, and would make them all look near.
    ends = {candidate.removeprefix(ENV_PREFIX): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(name.removeprefix(ENV_PREFIX), ends, n=1)
    return f"{ends[close[0]]} perhaps" if close else "one of " + ", ".join(ends.values())


def _read_toml(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Mapping[str, _Given]:
    flag = flags.get("settings")
    file = environment.get(SETTINGS_FILE_ENV) if flag is None else flag
    if file is None:
        return {}
    where = SETTINGS_FILE_ENV if flag is None else SETTINGS_FILE_FLAG
    content = _read(file, where, FILE_BYTES_MAX)
    try:
        entries = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: found no valid TOML ({error}), expected lines such as interval = '60s'") from None
    return {key: _toml_entry(file, key, value) for key, value in entries.items()}


def _toml_entry(file: str, key: str, value: object) -> _Given:
    known = {setting.key: setting for setting in SETTINGS}
    where = f"{file}: {key}"
    if any(setting.is_secret and setting.name == key for setting in SETTINGS):
        raise SettingsError(
            f"{where}: found a secret in a settings file, expected it by environment or in a file of its own; "
            f"write {key}_file = 'PATH' instead, and take a secret that others could read out of use"
        )
    if key not in known:
        raise SettingsError(f"{where}: found no such setting, expected {_nearest(key, known)}")
    if not isinstance(value, str):
        raise SettingsError(f"{where}: found a {type(value).__name__}, expected a string in quotes")
    return _Given(value, where, names_file=known[key].is_secret)


def _given(
    setting: Setting, flags: Mapping[str, str | None], environment: Mapping[str, str], written: Mapping[str, _Given]
) -> _Given | None:
    flag = flags.get(setting.key)
    if flag is not None:
        return _Given(flag, setting.flag, names_file=setting.is_secret)
    text = environment.get(setting.env)
    file = None if setting.file_env is None else environment.get(setting.file_env)
    if text is not None and file is not None:
        raise SettingsError(f"{setting.env}: found beside {setting.file_env}, expected one of the two; unset the other")
    if text is not None:
        return _Given(text, setting.env)
    if file is not None and setting.file_env is not None:
        return _Given(file, setting.file_env, names_file=True)
    return written.get(setting.key)


def _value(setting: Setting, given: _Given | None) -> Any:  # noqa: ANN401 - each row has a type of its own
    if given is None:
        return None if setting.default is None else setting.kind.parse(setting.default)
    text = _read(given.text, given.where, SECRET_BYTES_MAX).strip() if given.names_file else given.text
    if not text:
        raise SettingsError(f"{given.where}: found nothing, expected {setting.kind.expected}; to unset it, remove it")
    if len(text) > TEXT_LENGTH_MAX:
        raise SettingsError(f"{given.where}: found {len(text)} characters, expected at most {TEXT_LENGTH_MAX}")
    try:
        return setting.kind.parse(text)
    except ValueError:
        found = f"a text of {len(text)} characters" if setting.is_secret else _shown(text)
        raise SettingsError(f"{given.where}: found {found}, expected {setting.kind.expected}") from None


def _read(file: str, where: str, bytes_max: int) -> str:
    """Return the text of a small file that a person named at ``where``."""
    try:
        path = Path(file).expanduser()
        if not path.is_file():  # a pipe or a device could keep us waiting for ever
            raise SettingsError(f"{where}: found no file {_shown(file)}, expected the path of one that is there")
        with path.open("rb") as opened:
            content = opened.read(bytes_max + 1)
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no usable path"
        raise SettingsError(f"{where}: found {_shown(file)} unreadable ({why}), expected a readable file") from None
    if len(content) > bytes_max:
        raise SettingsError(f"{where}: found more than {bytes_max} bytes in {_shown(file)}, expected at most so many")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"{where}: found bytes in {_shown(file)} that are no UTF-8, expected text") from None


def _shown(text: str) -> str:
    """Quote a value for a message: short, on one line, and without what may be a password in a URL."""
    text = re.sub(r"://[^/\s]*@", "://***@", text)
    return repr(text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "…")


def _derive(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Fill in the defaults that follow from the environment or from other settings."""
    values["ledger"] = values["ledger"] or _ledger(environment)
    values["cache"] = values["cache"] or values["ledger"].parent / "git"
    if values["jitter"] is None:
        values["jitter"] = values["interval"] / 10
    web_address, name = _on_forge(values["repository"] or "")
    values["forge_repository"] = values["forge_repository"] or name
    values["gitea_url"] = values["gitea_url"] or web_address
    values["status_channel"] = values["status_channel"] or _status_channel(values)
    values["git_token"] = values["git_token"] or _forge_token(values)


def _ledger(environment: Mapping[str, str]) -> Path:
    state = Path(environment.get("XDG_STATE_HOME", ""))
    # The XDG base directory specification: a relative path is invalid and to be ignored.
    if not state.is_absolute():
        try:
            state = Path(environment.get("HOME") or Path.home()) / ".local" / "state"
        except RuntimeError:
            raise not_set("ledger", "a path, since this user has no home folder") from None
    return state / "wavefleet" / "wavefleet-ledger.db"


def _on_forge(repository: str) -> tuple[str | None, str | None]:
    """Return the forge's own address and the repository's name there, as far as the repository's URL tells them."""
    if "://" not in repository:
        host, colon, path = repository.partition(":")
        return None, _forge_name(path) if colon and "/" not in host else None
    parts = urlsplit(repository)
    name = _forge_name(parts.path) if parts.scheme != "file" else None
    if name is None or parts.scheme not in {"http", "https"}:
        return None, name
    before = parts.path.strip("/").split("/")[:-2]
    return "/".join([f"{parts.scheme}://{parts.netloc}", *before]), name


def _forge_name(path: str) -> str | None:
    owner_and_name = "/".join(path.strip("/").removesuffix(".git").split("/")[-2:])
    return owner_and_name if re.fullmatch(r"[^/]+/[^/]+", owner_and_name) else None


def _status_channel(values: Mapping[str, Any]) -> StatusChannel:
    tokens = {StatusChannel.GITEA: values["gitea_token"], StatusChannel.GITHUB: values["github_token"]}
    forges = [channel for channel, token in tokens.items() if token is not None]
    if len(forges) > 1:
        raise SettingsError(
            "WAVEFLEET_STATUS_CHANNEL: found nothing, beside tokens for Gitea and for GitHub; "
            "expected the one that commit statuses go to"
        )
    return forges[0] if forges else StatusChannel.NOTES


def _forge_token(values: Mapping[str, Any]) -> Secret | None:
    """Return the forge's token for Git too, but only to the very server that its API calls go to."""
    repository: str = values["repository"] or ""
    scheme, _, rest = repository.partition("://")
    if scheme not in {"http", "https"}:
        return None
    server = f"{scheme}://{rest.partition('/')[0]}"
    github = "https://api.github.com" if server == "https://github.com" else f"{server}/api/v3"
    token: Secret | None = None
    if values["gitea_url"] and repository.startswith(values["gitea_url"] + "/"):
        token = values["gitea_token"]
    if token is None and values["github_url"] == github:
        token = values["github_token"]
    return token


def _refuse_contradictions(settings: Settings, given: Mapping[str, _Given | None]) -> None:
    if settings.stale_after <= settings.interval:
        raise _contradiction("stale_after", f"longer than the interval, {format_duration(settings.interval)}", given)
    if settings.jitter > settings.interval:
        raise _contradiction("jitter", f"at most the interval, {format_duration(settings.interval)}", given)

    # Prometheus is mostly asked over plain http inside a cluster; only a token on the way is a secret.
    token_to_prometheus = ("prometheus_url",) if settings.prometheus_token else ()
    for name in ("repository", "github_url", "gitea_url", "slack_url", *token_to_prometheus):
        written = given[name]
        if written is not None and not settings.allow_http and is_plain_http_elsewhere(written.text):
            raise SettingsError(
                f"{written.where}: found {_shown(written.text)}, plain http to another machine, expected https; "
                "on a network that you trust set WAVEFLEET_ALLOW_HTTP to true"
            )


def _contradiction(name: str, expected: str, given: Mapping[str, _Given | None]) -> SettingsError:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    written = given[name]
    found = repr(written.text) if written else f"the default, {setting.default_words}"
    return SettingsError(f"{written.where if written else setting.env}: found {found}, expected {expected}")
