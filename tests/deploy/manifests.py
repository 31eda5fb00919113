"""The manifests of ``deploy/`` as kubectl renders them, and how a test finds its way in them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.real.kubernetes import ApiServer

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ACCESS, BASE, EXAMPLE = (DEPLOY / name for name in ("access", "base", "example"))
NAMESPACE = ACCOUNT = "wavefleet"

Document = dict[str, Any]


def rendered(server: ApiServer, folder: Path) -> list[Document]:
    """Return every object of a kustomization."""
    return list(yaml.safe_load_all(server.kubectl("kustomize", folder)))


def the(documents: Iterable[Document], kind: str, name: str = NAMESPACE) -> Document:
    """Return the one object of a kind and a name; of what a generator made, the name's digest is left out."""
    (found,) = (each for each in documents if kind == each["kind"] and _plain_name(each) == name)
    return found


def _plain_name(document: Document) -> str:
    name: str = document["metadata"]["name"]
    return name.rpartition("-")[0] if "ConfigMap" == document["kind"] else name


def container(documents: Iterable[Document]) -> Document:
    """Return the Deployment's one container."""
    (found,) = the(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def guide(part: str) -> Document:
    """Return the one YAML that the guide shows with ``part`` in it."""
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (found,) = (each for each in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if part in each)
    return dict(yaml.safe_load(found))


def overlay(folder: Path, content: Document) -> Path:
    """Write a kustomization whose paths are those of one in ``deploy/example``, and return its folder."""
    folder.mkdir(parents=True)
    for kind in {"resources", "components"} & content.keys():
        content[kind] = [os.path.relpath(EXAMPLE / path, folder) for path in content[kind]]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder
