"""Builds small fleet repositories of real files: valid as they come, so that a test writes only what it is about."""

from pathlib import Path

from controller.errors import DeclarationError, Problem
from controller.model.declaration import ClusterGroup, Declaration
from controller.repository.declare import BlobCache, load, validate
from controller.repository.tree import DirectoryTree

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {name: acme}
spec:
  sources:
    - {name: try, type: simulated, inventory: simulation/clusters.yaml}
"""
INVENTORY = """\
apiVersion: wavefleet.io/v1
kind: Inventory
spec:
  clusters:
    - {name: orders-eu-1, labels: {env: prod, region: eu}, kafkaVersion: 4.2.1}
    - {generate: {count: 3, name: "bulk-{n:04}", labels: {env: test}}, kafkaVersion: 4.2.1}
"""


def group_text(name: str = "prod", spec: str = "", *, version: str = "4.3.1", clusters: str = "") -> str:
    """Return a group; ``spec`` is indented by two spaces and begins in line 7."""
    claims = clusters or f"{{selector: {{matchLabels: {{group: {name}}}}}}}"
    return (
        "apiVersion: wavefleet.io/v1\nkind: ClusterGroup\n"
        f"metadata: {{name: {name}}}\nspec:\n  kafkaVersion: {version}\n  clusters: {claims}\n{spec}"
    )


class FleetFiles:
    """A fleet repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("fleet.yaml", FLEET)
        self.write("simulation/clusters.yaml", INVENTORY)
        self.write("groups/prod.yaml", group_text())

    def write(self, path: str, content: str | bytes) -> "FleetFiles":
        """Write one file, whatever it holds."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def group(self, spec: str = "", *, name: str = "prod", version: str = "4.3.1", clusters: str = "") -> "FleetFiles":
        """Write ``groups/NAME.yaml``."""
        return self.write(f"groups/{name}.yaml", group_text(name, spec, version=version, clusters=clusters))

    def fleet(self, spec: str) -> "FleetFiles":
        """Write ``fleet.yaml``; ``spec`` is indented by two spaces and begins in line 7."""
        return self.write("fleet.yaml", FLEET + spec)

    def inventory(self, spec: str) -> "FleetFiles":
        """Write the inventory; ``spec`` is indented by two spaces and begins in line 7."""
        return self.write("simulation/clusters.yaml", INVENTORY + spec)

    def tree(self) -> DirectoryTree:
        """Return the files as they are now."""
        return DirectoryTree(self.folder)

    def problems(self) -> list[Problem]:
        """Return what is wrong; loading must say the same."""
        problems = validate(self.tree())
        assert problems == _refusal(self.tree())
        return list(problems)

    def told(self) -> list[str]:
        """Return what is wrong as people read it."""
        return [str(problem) for problem in self.problems()]

    def load(self) -> Declaration:
        """Return what the files declare."""
        return load(self.tree(), BlobCache())

    def loaded(self, name: str = "prod") -> ClusterGroup:
        """Return one group as used."""
        group = self.load().group(name)
        assert group is not None
        return group


def _refusal(tree: DirectoryTree) -> tuple[Problem, ...]:
    try:
        load(tree, BlobCache())
    except DeclarationError as error:
        return error.problems
    return ()
