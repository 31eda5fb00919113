"""Where people read a commit on the web: an address with ``{revision}`` in it, from what the settings say of the forge.

Only the two forges whose addresses are known get a link: which program serves some other host cannot be told from its
name, and a link that leads nowhere is worse than none. Nothing here asks the network.
"""

import re
from urllib.parse import urlsplit

from controller.settings import Settings, StatusChannel

_GITHUB = "https://github.com"
_GITHUB_API = "https://api.github.com"
_ENTERPRISE_API = re.compile(r"(?P<web>https?://[^/]+)/api/v3")
_SAFE = re.compile(r"https?://[^\s<>|{}]+")
"""What Slack's form of a link can carry, and in which only the revision is still to be filled in."""


def commit_url(settings: Settings) -> str:
    """Return the address of a commit, ``{revision}`` standing for it; empty where no forge is known."""
    web = _web_of_forge(settings)
    if web is None or settings.forge_repository is None or not _SAFE.fullmatch(web):
        return ""
    return f"{web}/{settings.forge_repository}/commit/{{revision}}"


def _web_of_forge(settings: Settings) -> str | None:
    """Return where the forge that the statuses go to is served, or GitHub where the repository is there."""
    if settings.status_channel is StatusChannel.GITEA:
        return settings.gitea_url
    if settings.status_channel is StatusChannel.GITHUB:
        return _web_of_github(settings.github_url)
    return _GITHUB if _host_of(settings.repository or "") == "github.com" else None


def _web_of_github(api_url: str) -> str | None:
    if api_url == _GITHUB_API:
        return _GITHUB
    enterprise = _ENTERPRISE_API.fullmatch(api_url)
    return None if enterprise is None else enterprise["web"]


def _host_of(repository: str) -> str | None:
    """Return the server of a URL or of ``USER@HOST:PATH``; None for a path of this machine."""
    if "://" in repository:
        return urlsplit(repository).hostname
    server, colon, _ = repository.partition(":")
    return server.rpartition("@")[2].lower() if colon and "/" not in server else None
