"""A folder is read as Git would read it: the same ids, no link followed, nothing that waits."""

import os
import subprocess
from pathlib import Path

import pytest

from controller.errors import RepositoryError
from controller.repository.tree import (
    ENTRIES_MAX,
    FILE_BYTES_MAX,
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_LINK,
    MODE_OTHER,
    DirectoryTree,
    blob_id,
)


def test_ids_are_gits_own(tmp_path: Path) -> None:
    """
    A file has the id that Git gives it, so what was parsed from a revision serves for a folder too.
    """
    (tmp_path / "a").write_bytes(b"one\ntwo\n")
    told = subprocess.run(["git", "hash-object", "a"], cwd=tmp_path, capture_output=True, check=True, text=True)

    assert told.stdout.strip() == DirectoryTree(tmp_path).find(["a"])[0].id
    assert told.stdout.strip() == blob_id(b"one\ntwo\n")


def test_a_path_gives_what_lies_at_and_below_it(tmp_path: Path) -> None:
    """
    Files come by path, folders with all that is in them, what does not exist with nothing.
    """
    (tmp_path / "groups" / "more").mkdir(parents=True)
    for name in ("groups/b.yaml", "groups/a.yaml", "groups/more/c.yaml", "fleet.yaml", "other.yaml"):
        (tmp_path / name).write_text(name)
    (tmp_path / "groups" / "b.yaml").chmod(0o755)
    tree = DirectoryTree(tmp_path)

    found = tree.find(["groups", "fleet.yaml", "absent.yaml", "fleet.yaml/below"])

    assert ["fleet.yaml", "groups/a.yaml", "groups/b.yaml", "groups/more/c.yaml"] == [blob.path for blob in found]
    assert [MODE_FILE, MODE_FILE, MODE_EXECUTABLE, MODE_FILE] == [blob.mode for blob in found]
    assert [b"fleet.yaml", b"groups/a.yaml"] == list(tree.read(found[:2]))


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    """
    A link is an entry of its own; a path that leads through one gives nothing.
    """
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.yaml").write_text("a: 1")
    (tmp_path / "link.yaml").symlink_to("real/a.yaml")
    (tmp_path / "groups").symlink_to("real")
    tree = DirectoryTree(tmp_path)

    assert [("groups", MODE_LINK), ("link.yaml", MODE_LINK)] == [
        (blob.path, blob.mode) for blob in tree.find(["groups", "link.yaml"])
    ]
    assert [] == list(tree.find(["groups/a.yaml"]))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """
    What is no file is named and never opened.
    """
    os.mkfifo(tmp_path / "fleet.yaml")

    assert [MODE_OTHER] == [blob.mode for blob in DirectoryTree(tmp_path).find(["fleet.yaml"])]


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """
    Its size is told, its content is left where it is.
    """
    (tmp_path / "fleet.yaml").write_bytes(b"x" * (FILE_BYTES_MAX + 1))

    blob = DirectoryTree(tmp_path).find(["fleet.yaml"])[0]

    assert (FILE_BYTES_MAX + 1, "") == (blob.size, blob.id)


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """
    Content that is not what was found is never taken for it.
    """
    (tmp_path / "fleet.yaml").write_text("a: 1")
    tree = DirectoryTree(tmp_path)
    found = tree.find(["fleet.yaml"])
    (tmp_path / "fleet.yaml").write_text("a: 2")

    with pytest.raises(RepositoryError, match="changed while it was being read"):
        list(tree.read(found))


def test_what_cannot_be_read_is_no_declaration_error(tmp_path: Path) -> None:
    """
    A folder that is not there, or a file that vanishes, is the reader's trouble and not the author's.
    """
    with pytest.raises(RepositoryError, match="found no such folder"):
        DirectoryTree(tmp_path / "absent")
    (tmp_path / "fleet.yaml").write_text("a: 1")
    tree = DirectoryTree(tmp_path)
    found = tree.find(["fleet.yaml"])
    (tmp_path / "fleet.yaml").unlink()

    with pytest.raises(RepositoryError, match=r"fleet\.yaml: cannot be read"):
        list(tree.read(found))


def test_an_endless_folder_is_cut(tmp_path: Path) -> None:
    """
    One entry more than the limit is enough to know that there are too many.
    """
    (tmp_path / "groups").mkdir()
    for number in range(ENTRIES_MAX + 5):
        (tmp_path / "groups" / f"{number}.yaml").touch()

    assert ENTRIES_MAX + 1 == len(DirectoryTree(tmp_path).find(["groups"]))
