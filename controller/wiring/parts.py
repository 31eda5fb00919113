"""Single outside parts from settings: sources of live clusters, the repository, channels, logs.

What only some installations use (forges, Slack) is imported where it is built: a daemon carries in memory what it
needs, and a command starts quickly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TextIO, runtime_checkable

from controller.errors import ObservationError, SettingsError
from controller.fleets.lab import LabSource
from controller.fleets.simulated import SimulatedSource
from controller.fleets.unreachable import UnreachableSource
from controller.gitcommand import GitCommand, GitCredentials, GitRemote, as_url
from controller.model.declaration import Declaration, SourceDeclaration
from controller.ports import Channel, FleetSource
from controller.reports.log import LogChannel
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.reports.notes import NotesChannel
from controller.repository.git_source import GitRepository
from controller.runtime.cycle import Pace
from controller.runtime.report import Audience
from controller.settings import Mode, Settings, StatusChannel, not_set
from controller.versions import MetadataVersion
from controller.wiring.links import commit_url


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a source of live clusters is made from."""

    source: SourceDeclaration
    declaration: Declaration
    settings: Settings
    read_only: bool


def _simulated(setup: Setup) -> FleetSource:
    name, ledger = setup.source.name, setup.settings.ledger
    state_file = ledger.with_name(f"{ledger.stem}.{name}.simulated.json")
    return SimulatedSource(name, setup.declaration.inventories[name], state_file, read_only=setup.read_only)


def _lab(setup: Setup) -> FleetSource:
    levels = {level.level: level for level in setup.declaration.catalog.metadata_versions.values()}
    return LabSource(setup.source.name, Path(setup.source.options["directory"]), levels)


def _strimzi(setup: Setup) -> FleetSource:
    # The Kubernetes client takes a while to be imported, and most of a small daemon's memory.
    from controller.fleets.strimzi.source import Place, open_source

    source, options = setup.source, setup.source.options
    kubeconfig = options.get("kubeconfig")
    place = Place(
        context=options.get("context"),
        kubeconfig=None if kubeconfig is None else Path(kubeconfig),
        namespaces=source.namespaces or ("*",),
        selector=source.selector,
        take_over=source.take_over,
    )
    levels = setup.declaration.catalog.metadata_versions
    return open_source(source.name, place, levels, setup.settings.source_timeout.total_seconds() / 2)


@runtime_checkable
class Closable(Protocol):
    """A source that holds threads or connections."""

    def close(self) -> None:
        """Let go of them."""
        ...


Maker = Callable[[Setup], FleetSource]
"""Sets one source up; raises ObservationError where that does not work now, and may work later."""
MAKERS: Mapping[str, Maker] = {"simulated": _simulated, "lab": _lab, "strimzi": _strimzi}
"""By the type that is declared."""


class DeclaredSources:
    """The live sources that a declaration names; what did not change stays the same object."""

    def __init__(self, settings: Settings, *, read_only: bool = False, makers: Mapping[str, Maker] = MAKERS) -> None:
        self._settings = settings
        self._read_only = read_only
        self._makers = makers
        self._opened: dict[str, tuple[SourceDeclaration, FleetSource]] = {}
        self._levels: Mapping[str, MetadataVersion] = {}
        """What the sources that are open know of levels of metadata.version."""
        self._declaration: Declaration | None = None

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        """Return the declared sources in their order.

        One that cannot be set up is out of reach, which concerns no other, and is tried again at the next call. Raises
        SettingsError where one never can be.
        """
        if declaration is not self._declaration or self._is_one_out_of_reach():
            before = self._opened
            self._opened = {
                source.name: (source, self._open(source, before.get(source.name), declaration))
                for source in declaration.sources
            }
            kept = {id(part) for _, part in self._opened.values()}
            for _, part in before.values():
                if id(part) not in kept and isinstance(part, Closable):
                    part.close()
            self._declaration, self._levels = declaration, declaration.catalog.metadata_versions
        return tuple(part for _, part in self._opened.values())

    def _is_one_out_of_reach(self) -> bool:
        return any(isinstance(part, UnreachableSource) for _, part in self._opened.values())

    def _open(
        self, source: SourceDeclaration, before: tuple[SourceDeclaration, FleetSource] | None, declaration: Declaration
    ) -> FleetSource:
        same = before is not None and replace(before[0], place=source.place) == source
        kept = before[1] if same and before is not None else None
        if isinstance(kept, SimulatedSource):
            kept.replace_inventory(declaration.inventories[source.name])
        elif self._levels != declaration.catalog.metadata_versions:
            kept = None  # it would take a level that it does not know for none
        if kept is not None and not isinstance(kept, UnreachableSource):
            return kept
        assert source.type in self._makers, source
        try:
            return self._makers[source.type](Setup(source, declaration, self._settings, self._read_only))
        except ObservationError as error:
            return UnreachableSource(source.name, str(error))


def git_command(settings: Settings) -> GitCommand:
    """Return Git as a command for the configured repository. Raises SettingsError."""
    if settings.repository is None:
        raise not_set("repository", "the fleet repository, a URL or a path")
    credentials = GitCredentials(
        username=settings.git_username,
        password=None if settings.git_token is None else settings.git_token.reveal(),
        ssh_key=settings.ssh_key,
        known_hosts=settings.ssh_known_hosts,
    )
    remote = GitRemote(as_url(settings.repository), credentials, allow_plain_http=settings.allow_http)
    return GitCommand(remote, limit_seconds=settings.git_timeout.total_seconds())


def repository_of(settings: Settings) -> GitRepository:
    """Return the configured fleet repository. Raises SettingsError."""
    return GitRepository(git_command(settings), branch=settings.branch, cache_directory=settings.cache)


def channels_of(settings: Settings) -> tuple[tuple[Channel, Audience], ...]:
    """Return every configured channel with what it is told. Raises SettingsError."""
    told: list[tuple[Channel, Audience]] = []
    statuses = _status_channel(settings)
    if statuses is not None:
        told.append((statuses, Audience(statuses.name, statuses=True)))
    if settings.slack_token is not None:
        if settings.slack_channel is None:
            raise not_set("slack_channel", "the Slack channel that the token is for")
        from controller.reports.slack import SlackChannel

        slack = SlackChannel(
            settings.slack_token.reveal(),
            settings.slack_channel,
            base_url=settings.slack_url,
            commit_url=commit_url(settings),
        )
        told.append((slack, Audience(slack.name, threads=True)))
    else:
        log = LogChannel()
        told.append((log, Audience(log.name, threads=True)))
    return tuple(told)


def _status_channel(settings: Settings) -> Channel | None:
    limit = settings.source_timeout.total_seconds()
    if settings.status_channel is StatusChannel.NOTES:
        return NotesChannel(git_command(settings), settings.cache)
    if settings.status_channel is StatusChannel.NONE:
        return None
    if settings.forge_repository is None:
        raise not_set("forge_repository", "the repository's name on the forge, OWNER/NAME")
    from controller.reports.statuses import StatusChannel as ForgeChannel

    if settings.status_channel is StatusChannel.GITHUB:
        from controller.reports.github import GitHub

        token = _required_token(settings, "github_token")
        return ForgeChannel(GitHub(settings.github_url, settings.forge_repository, token, limit_seconds=limit))
    if settings.gitea_url is None:
        raise not_set("gitea_url", "where Gitea is served")
    from controller.reports.gitea import Gitea

    token = _required_token(settings, "gitea_token")
    return ForgeChannel(Gitea(settings.gitea_url, settings.forge_repository, token, limit_seconds=limit))


def _required_token(settings: Settings, name: str) -> str:
    secret = getattr(settings, name)
    if secret is None:
        raise not_set(name, "a token that may write commit statuses")
    return str(secret.reveal())


def make_ledger_folder(settings: Settings) -> None:
    """Make the ledger's folder, for this user alone, where it is not there yet. Raises SettingsError."""
    folder = settings.ledger.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"ledger: the folder {folder} cannot be made: {error.strerror}; choose another") from error


def pace_of(settings: Settings) -> Pace:
    """Return the times that cycles work with."""
    return Pace(
        poll_interval=settings.interval,
        stale_after=settings.stale_after,
        source_limit=settings.source_timeout,
        observe_only=settings.mode is Mode.OBSERVE,
        gate_limit=settings.gate_timeout,
    )


def log_to(stream: TextIO, settings: Settings) -> None:
    """Send the log lines of this process to ``stream``, secrets removed."""
    style = LogStyle.choose(settings.log_format, stream, level=settings.log_level)
    set_up_logs(stream, style, Redaction(settings.secrets()))
