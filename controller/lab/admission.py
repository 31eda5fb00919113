"""Decides whether brokers may be rolled to the wanted release, and whether the wanted level may be finalized.

Everything that can be known beforehand is asked here: is it a release, can it run the finalized metadata.version, can
it be fetched, is there a Java for it, does it serve the wanted level. What only a start, or the brokers' own
validation, can show is not. It remembers answers, for a fetch is dear.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from controller.errors import LabError
from controller.lab.features import refusal_of_finalization, refusal_of_level
from controller.lab.releases import Release
from controller.lab.rolling import Node
from controller.lab.toolchain import Stopped
from controller.labfiles import WantedFile

REFUSAL_SECONDS = 60.0
"""What is refused is looked at again so often: an index or the network may have been mended, a broker replaced."""

_LOG = logging.getLogger("wavefleet.lab.operator")


class Admission:
    """The judgement of one cluster's wanted release, kept from look to look."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        """Why the wanted release is refused; None while it is not."""
        self._provided: set[Release] = set()
        self._refused: tuple[int, float] = (0, 0.0)

    def admit(
        self, wanted: WantedFile, nodes: Sequence[Node], level: int | None, provide: Callable[[Release], None]
    ) -> str | None:
        """The release brokers may be rolled to; None when it is refused, or cannot be judged yet.

        ``level`` is the finalized metadata.version as last seen, None while nobody saw it. ``provide`` fetches a
        release or raises LabError.
        """
        if all(wanted.release == (node.running or node.assigned) for node in nodes):
            self.refusal = None
            return wanted.release
        if level is None:
            return None
        generation, look_again_at = self._refused
        if self.refusal and generation == wanted.generation and time.monotonic() < look_again_at:
            return None
        try:
            self._judge(wanted.release, level, provide)
        except Stopped:
            return None
        except LabError as error:
            self.refusal = str(error)
            self._refused = (wanted.generation, time.monotonic() + REFUSAL_SECONDS)
            _LOG.warning("generation %d is refused: %s", wanted.generation, error)
            return None
        self.refusal = None
        return wanted.release

    def _judge(self, text: str, level: int, provide: Callable[[Release], None]) -> None:
        release = Release.parse(text)
        refusal = refusal_of_level(release, level)
        if refusal:
            raise LabError(refusal)
        if release not in self._provided:
            provide(release)
            self._provided.add(release)


class LevelAdmission:
    """The judgement of the level that one cluster's metadata.version shall be finalized at, kept from look to look."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        """Why the wanted level is refused; None while it is not."""
        self._refused: tuple[int, float] = (0, 0.0)

    def admit(self, wanted: WantedFile, level: int | None) -> int | None:
        """The level to finalize; None when none is wanted, when it is finalized, refused, or cannot be judged yet.

        ``wanted.release`` was admitted already. ``level`` is the finalized one as last seen, None while nobody saw it.
        """
        if wanted.metadata_level is None or (level is not None and level >= wanted.metadata_level):
            self.refusal = None
            return None
        if level is None:
            return None
        generation, look_again_at = self._refused
        if self.refusal and generation == wanted.generation and time.monotonic() < look_again_at:
            return None
        self.refusal = refusal_of_finalization(Release.parse(wanted.release), wanted.metadata_level)
        if self.refusal:
            self.refuse(wanted, self.refusal)
            return None
        return wanted.metadata_level

    def refuse(self, wanted: WantedFile, sentence: str) -> None:
        """Take in why the level of ``wanted`` cannot be finalized, as this module or the brokers say."""
        self.refusal = sentence
        self._refused = (wanted.generation, time.monotonic() + REFUSAL_SECONDS)
        _LOG.warning("the level of generation %d is refused: %s", wanted.generation, sentence)
