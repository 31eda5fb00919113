"""The one table of settings: each field of ``Settings`` is a row, with its kind, its default and its sentence.

A row has one name in every place: ``interval`` is ``WAVEFLEET_INTERVAL``, ``--interval``, and ``interval`` in the TOML
file, so none of the three is spelled by hand. A secret differs, since flags and files are read by others: there only
``NAME_file`` exists, the path of a file that holds it. ``docs/settings.md`` is tested against this table.
"""

# ruff: noqa: RUF009 - a row is written as dataclasses.field is, and nothing that it makes is shared and changed

from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.settings.kinds import (
    BRANCH,
    EXISTING_FILE,
    FORGE_REPOSITORY,
    LISTEN,
    PATH,
    REPOSITORY,
    SECRET,
    SLACK_CHANNEL,
    SWITCH,
    WEB_ADDRESS,
    WORDS,
    Address,
    Kind,
    LogFormat,
    LogLevel,
    Mode,
    Secret,
    StatusChannel,
    choice,
    duration,
)

ENV_PREFIX = "WAVEFLEET_"
SETTINGS_FILE_ENV = "WAVEFLEET_SETTINGS"
"""Names the TOML file; the one variable that is no row, since the file cannot name itself."""
SETTINGS_FILE_FLAG = "--settings"

_OUTSIDE_LIMIT = duration(timedelta(seconds=1), timedelta(minutes=10))
_UNSET = "not set"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    """The field of ``Settings``."""
    kind: Kind
    default: str | None
    """As people would write it; None where the setting may stay unset, or is derived from others."""
    default_words: str
    """The default in words, for documentation and ``--help``."""
    doc: str
    """One sentence."""

    @property
    def is_secret(self) -> bool:
        """True where only its file may be named by flag and TOML."""
        return self.kind is SECRET

    @property
    def env(self) -> str:
        """The environment variable that holds the value."""
        return ENV_PREFIX + self.name.upper()

    @property
    def file_env(self) -> str | None:
        """The environment variable that names the file of a secret."""
        return f"{self.env}_FILE" if self.is_secret else None

    @property
    def key(self) -> str:
        """Its key in the TOML file, and in the flags that ``load_settings`` takes."""
        return f"{self.name}_file" if self.is_secret else self.name

    @property
    def flag(self) -> str:
        """Its option on the command line."""
        return "--" + self.key.replace("_", "-")


def _row(kind: Kind, default: str | None, doc: str, *, words: str | None = None) -> Any:  # noqa: ANN401 - as dataclasses.field
    row = {"kind": kind, "default": default, "doc": doc, "default_words": words or default or _UNSET}
    return field(metadata=row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked and complete; made by ``load_settings``. Its ``repr`` shows no secret."""

    repository: str | None = _row(REPOSITORY, None, "The fleet repository: a URL that Git understands, or a path.")
    branch: str = _row(BRANCH, "main", "The branch whose head is in force.")
    mode: Mode = _row(choice(Mode), "apply", "With `observe` it plans and reports, and writes nothing to any cluster.")
    ledger: Path = _row(
        PATH,
        None,
        "The file of the ledger, the controller's memory; keep it on a disk that survives restarts.",
        words="`wavefleet/wavefleet-ledger.db` in `$XDG_STATE_HOME`, else in `~/.local/state`",
    )
    cache: Path = _row(
        PATH, None, "The folder in which fetched Git objects are kept; may be lost.", words="`git` beside the ledger"
    )
    interval: timedelta = _row(
        duration(timedelta(milliseconds=100), timedelta(hours=1)), "60s", "The time from one cycle to the next."
    )
    jitter: timedelta = _row(
        duration(timedelta(0), timedelta(hours=1)),
        None,
        "At most so much is added to each interval by chance, so that many controllers do not poll in step.",
        words="a tenth of the interval",
    )
    stale_after: timedelta = _row(
        duration(timedelta(seconds=1), timedelta(days=7)),
        "10m",
        "Nothing new starts once the branch's head has not been confirmed for so long; longer than the interval.",
    )
    source_timeout: timedelta = _row(_OUTSIDE_LIMIT, "30s", "The time limit for reading one source of live clusters.")

    allow_http: bool = _row(
        SWITCH,
        "false",
        "With `true` the repository, the forge and Slack's gateway may be reached over plain http on another machine, "
        "where anybody on the way reads tokens and changes what is declared; for a network that you trust.",
    )
    git_timeout: timedelta = _row(_OUTSIDE_LIMIT, "60s", "The time limit for one Git command.")
    git_username: str = _row(WORDS, "x-access-token", "The user name that goes with the Git token over HTTP.")
    git_token: Secret | None = _row(
        SECRET,
        None,
        "Token or password for the repository over HTTP.",
        words="the forge's token, where the same server serves both",
    )
    ssh_key: Path | None = _row(EXISTING_FILE, None, "The private key for a repository over SSH.")
    ssh_known_hosts: Path | None = _row(
        EXISTING_FILE,
        None,
        "The host keys that are trusted over SSH; a host that is not among them is refused.",
        words="SSH's own",
    )

    status_channel: StatusChannel = _row(
        choice(StatusChannel),
        None,
        "Where commit statuses go: Git notes beside the branch, a forge, or nowhere.",
        words="`gitea` or `github` where its token is set, else `notes`",
    )
    forge_repository: str | None = _row(
        FORGE_REPOSITORY, None, "The repository's name on the forge.", words="the end of the repository's URL"
    )
    github_url: str = _row(
        WEB_ADDRESS,
        "https://api.github.com",
        "Base of GitHub's API; `https://HOST/api/v3` for GitHub Enterprise Server.",
    )
    github_token: Secret | None = _row(SECRET, None, "Token that may write commit statuses on GitHub.")
    gitea_url: str | None = _row(
        WEB_ADDRESS,
        None,
        "Where Gitea or Forgejo is served.",
        words="the start of the repository's URL, if that is HTTP",
    )
    gitea_token: Secret | None = _row(SECRET, None, "Token that may write commit statuses on Gitea or Forgejo.")

    slack_token: Secret | None = _row(SECRET, None, "Token of the Slack app's bot; without it nothing goes to Slack.")
    slack_channel: str | None = _row(SLACK_CHANNEL, None, "The Slack channel for the threads of rollouts.")
    slack_url: str = _row(WEB_ADDRESS, "https://slack.com/api", "Base of Slack's API, for a gateway in between.")

    prometheus_url: str | None = _row(
        WEB_ADDRESS, None, "Base of the Prometheus that answers the queries of gates; `/api/v1/query` is below it."
    )
    prometheus_token: Secret | None = _row(
        SECRET, None, "Bearer token for that Prometheus, where it or a proxy before it asks for one."
    )
    webhook_secret: Secret | None = _row(
        SECRET, None, "Signs the questions to the webhooks of gates; without it none is asked."
    )
    gate_timeout: timedelta = _row(_OUTSIDE_LIMIT, "10s", "The time limit for one question to an external gate.")

    kafka_credentials: Path | None = _row(
        PATH,
        None,
        "The folder of credentials for brokers: one folder for each set that a listener in `fleet.yaml` names, with "
        "those of `ca.crt`, `user.crt`, `user.key`, `username` and `password` that it needs.",
    )
    kafka_username: str | None = _row(WORDS, None, "The user name for brokers where a set of credentials has none.")
    kafka_password: Secret | None = _row(SECRET, None, "The password that goes with that user name.")

    listen: Address | None = _row(
        LISTEN,
        "127.0.0.1:8080",
        "Where `/healthz`, `/readyz` and `/metrics` are served, or `off`; the container image sets `0.0.0.0:8080`.",
    )
    log_format: LogFormat = _row(choice(LogFormat), "auto", "With `auto` text on a terminal and JSON lines elsewhere.")
    log_level: LogLevel = _row(choice(LogLevel), "info", "The least important log lines that are written.")

    def secrets(self) -> tuple[str, ...]:
        """Return the texts of all secrets, for the one place that removes them from logs."""
        values = (getattr(self, setting.name) for setting in SETTINGS if setting.is_secret)
        return tuple(value.reveal() for value in values if value is not None)


SETTINGS: tuple[Setting, ...] = tuple(Setting(name=row.name, **row.metadata) for row in fields(Settings))
"""The rows, in the order of the documentation."""
