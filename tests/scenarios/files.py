"""A fleet repository as a story writes it: YAML of the real kinds, read by the product's own loader, in memory."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from controller.errors import DeclarationError
from controller.repository.declare import BlobCache, load
from controller.repository.tree import MODE_FILE, Blob, blob_id
from tests.simulation.repository import Content

SOURCES = ("sim", "eu")
_HEAD = "apiVersion: wavefleet.io/v1\nkind: {kind}\n{name}spec:\n"
_FLEET = "  sources: [{name: sim, type: lab, directory: lab/sim}, {name: eu, type: lab, directory: lab/eu}]\n"
_DEFAULTS = """\
  defaults:
    strategy: {waves: [{name: canary, size: 1, soak: 1h}, {name: rest, size: rest, soak: 1h}]}
"""
"""Two waves of an hour, unless a story or a group says otherwise."""


class StoryFiles:
    """The files of the repository as they stand; every change is one commit's content."""

    def __init__(self) -> None:
        self._cache = BlobCache()
        self.files: dict[str, str] = {}
        self.fleet("")

    def fleet(self, spec: str) -> None:
        """Write ``fleet.yaml`` with the keys of ``spec`` beside its sources; the breaker has a story of its own."""
        head = _HEAD.format(kind="Fleet", name="metadata: {name: acme}\n")
        limits = "" if "limits:" in spec else "  limits: {unavailable: 100%}\n"
        defaults = "" if "defaults:" in spec else _DEFAULTS
        self.files["fleet.yaml"] = head + _FLEET + defaults + limits + _indented(spec)

    def group(self, name: str, target: str, spec: str) -> None:
        """Write ``groups/NAME.yaml``; a group claims what is labelled ``group: NAME`` unless ``spec`` says whom.

        Its metadata.version stays unless ``spec`` says more: finalization is told in stories of its own.
        """
        head = _HEAD.format(kind="ClusterGroup", name=f"metadata: {{name: {name}}}\n")
        claims = "" if "clusters:" in spec else f"  clusters: {{selector: {{matchLabels: {{group: {name}}}}}}}\n"
        level = "" if "metadataVersion:" in spec else "  metadataVersion: hold\n"
        self.files[f"groups/{name}.yaml"] = f"{head}  kafkaVersion: {target}\n{claims}{_indented(spec)}{level}"

    def releases(self, spec: str) -> None:
        """Write ``releases.yaml``."""
        self.files["releases.yaml"] = _HEAD.format(kind="ReleaseCatalog", name="") + _indented(spec)

    def remove(self, group: str) -> None:
        """Take a group out."""
        del self.files[f"groups/{group}.yaml"]

    def content(self) -> Content:
        """Return what the files declare, or why they are refused."""
        try:
            return load(_Tree(self.files), self._cache)
        except DeclarationError as error:
            return error.problems


class _Tree:
    """Keeps the promises of ``repository.tree.Tree``."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {path: text.encode() for path, text in files.items()}

    def find(self, paths: Sequence[str]) -> Sequence[Blob]:
        """Return what lies at and below ``paths``."""
        return [
            Blob(path, blob_id(content), len(content), MODE_FILE)
            for path, content in sorted(self._files.items())
            if any(path == one or path.startswith(f"{one}/") for one in paths)
        ]

    def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield contents."""
        return (self._files[blob.path] for blob in blobs)


def _indented(spec: str) -> str:
    return textwrap.indent(spec, "  ") + "\n" if spec else ""
