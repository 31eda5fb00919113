"""Kafka release numbers and metadata versions, compared as numbers and never as text.

A *release* is the binaries (``4.3.1``); a *metadata.version* is the finalized feature level of a cluster
(``4.3-IV0``). The two move apart on purpose: see ``facts`` in the release catalog's header.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

_RELEASE = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})(?:-([a-z0-9.]{1,40}))?")

Minor = tuple[int, int]
"""A release line such as ``(4, 3)``."""


@dataclass(frozen=True, slots=True, order=True)
class KafkaVersion:
    """One Apache Kafka release, such as ``3.9.1``, or a vendor's build of it, such as ``4.3.1-acme1``."""

    major: int
    minor: int
    patch: int
    build: str = ""

    @staticmethod
    def parse(text: str) -> "KafkaVersion":
        """Read ``text``; raises ValueError, with what was expected, where it is no release."""
        return _parse(text)

    @property
    def line(self) -> Minor:
        """The release line that this release belongs to."""
        return (self.major, self.minor)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{self.build}" if self.build else "")


@lru_cache(maxsize=4096)
def _parse(text: str) -> KafkaVersion:
    match = _RELEASE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no release such as 4.3.1")
    major, minor, patch, build = match.groups()
    return KafkaVersion(int(major), int(minor), int(patch), build or "")


@dataclass(frozen=True, slots=True, order=True)
class MetadataVersion:
    """One finalized feature level of ``metadata.version``; ordered by level (source: Kafka's MetadataVersion.java)."""

    level: int
    name: str = field(compare=False)
    changes_metadata: bool = field(default=False, compare=False)
    """It adds or changes metadata records, so a safe downgrade cannot cross it."""

    def __str__(self) -> str:
        return self.name


Target = KafkaVersion | MetadataVersion
"""What a rollout moves its clusters to: a release (software) or a metadata.version (metadata)."""
