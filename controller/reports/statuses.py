"""Commit statuses on any forge: what is said there, and that nothing is said twice.

Forges append: the same status posted again is one more row, and GitHub ends at 1,000 rows for one commit and context.
So a context is looked up before its first post after a start, and whenever an earlier post may have been taken; a
newest row that says the same already is taken as delivered. A forge's own module only reads the newest row and posts.
"""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from controller.errors import ReportDelayed, ReportRefused, SettingsError
from controller.model.outbox import CommitStatus, Delivery, StatusState
from controller.reports.wording import cut, one_line, printable

DESCRIPTION_CHARACTERS_MAX = 140
"""GitHub refuses more; elsewhere nobody would read more."""
CONTEXT_CHARACTERS_MAX = 255
CONTEXT_DIGEST_CHARACTERS = 12
SECONDS_BETWEEN = 1.0
"""GitHub asks for a second between two writes; the others are glad of it."""
KNOWN_CONTEXTS_MAX = 10_000
"""So many contexts of commits are remembered as looked up; a forgotten one costs one more look."""

_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Row:
    """One status as the forge keeps it."""

    reference: str
    state: str
    description: str

    def says(self, status: CommitStatus) -> bool:
        """Tell whether posting ``status`` would change nothing."""
        return (self.state, self.description) == (status.state.value, status.description)


class Forge(Protocol):
    """One repository on one forge. Its methods raise ReportDelayed and ReportRefused."""

    @property
    def name(self) -> str:
        """Such as ``github``."""
        ...

    def newest(self, revision: str, context: str) -> Row | None:
        """Return the row that counts for a context of a commit; None where there is none."""
        ...

    def post(self, status: CommitStatus) -> str:
        """Append a row and return the forge's name for it; a failure that leaves doubt says so."""
        ...

    def check(self) -> str:
        """Return a sentence about the repository and our rights; raises ReportError where one is missing."""
        ...


class StatusChannel:
    """Posts commit statuses to a forge; threads are not for it."""

    seconds_between = SECONDS_BETWEEN

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._looked_up: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def name(self) -> str:
        """The forge's name."""
        return self._forge.name

    def deliver(self, delivery: Delivery) -> str:
        """Post one status, where the forge does not say it already. Raises ReportDelayed or ReportRefused."""
        body = delivery.message.body
        if not isinstance(body, CommitStatus):
            raise ReportRefused(f"{self.name} takes commit statuses only; threads belong on Slack")
        status = as_shown(body)
        place = (status.revision, status.context)
        if delivery.in_doubt or place not in self._looked_up:
            newest = self._look(status, in_doubt=delivery.in_doubt)
            self._remember(place)
            if newest is not None and newest.says(status):
                return newest.reference
        return self._forge.post(status)

    def check(self) -> str:
        """Return a sentence about the repository and our rights. Raises ReportError where something is missing."""
        return self._forge.check()

    def _look(self, status: CommitStatus, *, in_doubt: bool) -> Row | None:
        try:
            return self._forge.newest(status.revision, status.context)
        except ReportDelayed as error:
            # Whatever went wrong while looking: what was in doubt before is in doubt still.
            raise ReportDelayed(str(error), retry_after_seconds=error.retry_after_seconds, in_doubt=in_doubt) from None

    def _remember(self, place: tuple[str, str]) -> None:
        self._looked_up[place] = None
        if len(self._looked_up) > KNOWN_CONTEXTS_MAX:
            self._looked_up.popitem(last=False)


def checked_repository(repository: str) -> str:
    """Return ``repository`` where it is ``OWNER/NAME`` and safe in an address; raises SettingsError."""
    if not _REPOSITORY.fullmatch(repository) or repository.endswith(("/.", "/..")):
        raise SettingsError(f"repository on the forge: found {repository[:200]!r}, expected OWNER/NAME")
    return repository


def as_shown(status: CommitStatus) -> CommitStatus:
    """Return ``status`` within the limits of every forge; a context too long keeps its identity in a digest."""
    return CommitStatus(
        status.revision,
        shown_context(status.context),
        StatusState(status.state),
        cut(printable(one_line(status.description)), DESCRIPTION_CHARACTERS_MAX),
    )


def shown_context(context: str) -> str:
    """Return a context of at most 255 characters: one too long is cut, and ends in a digest of the whole."""
    if len(context) <= CONTEXT_CHARACTERS_MAX:
        return context
    digest = hashlib.sha256(context.encode()).hexdigest()[:CONTEXT_DIGEST_CHARACTERS]
    return f"{context[: CONTEXT_CHARACTERS_MAX - len(digest) - 1]}-{digest}"
