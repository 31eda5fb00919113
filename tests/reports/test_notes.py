"""Git notes, with real Git: the form of a note, others who write there, and what a person sees in the log."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import ReportDelayed, ReportError, ReportRefused
from controller.gitcommand import GitCommand, GitCredentials, GitRemote
from controller.lab.git_http import Credentials
from controller.model.outbox import CommitStatus, StatusState
from controller.reports import notes
from controller.reports.notes import REF, NotesChannel
from controller.reports.notes_text import merged
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository, run_git
from tests.reports.messages import OTHER_REVISION, a_delivery, a_head, a_status


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """A remote with one commit."""
    fleet = FleetRepository(tmp_path / "remote")
    fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    return fleet


@pytest.fixture
def server(tmp_path: Path, fleet: FleetRepository) -> Iterator[GitServer]:
    """A server for it that counts pushes."""
    assert fleet.bare.exists()
    with GitServer(tmp_path / "remote") as running:
        yield running


def a_channel(url: str, folder: Path) -> NotesChannel:
    """A channel as a new process makes it, with a cache of its own below ``folder``."""
    return NotesChannel(GitCommand(GitRemote(url)), folder)


def say(channel: NotesChannel, *statuses: CommitStatus) -> str:
    """Deliver statuses together."""
    return channel.deliver_together([a_delivery(status, f"key-{number}") for number, status in enumerate(statuses)])


def test_a_note_has_one_line_per_context_sorted(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A newer status takes the place of its context's line; the others stay.
    """
    channel = a_channel(fleet.url, tmp_path)
    for status in (
        a_status("wave 1", revision=fleet.head),
        a_status("valid", revision=fleet.head, context="wavefleet/config", state=StatusState.SUCCESS),
        a_status("all soaked", revision=fleet.head, state=StatusState.SUCCESS),
    ):
        channel.deliver(a_delivery(status))

    assert [
        "success wavefleet/config: valid",
        "success wavefleet/prod-eu: all soaked",
    ] == fleet.notes(REF, fleet.head).splitlines()


def test_people_see_the_notes_in_the_log(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    After a fetch of the notes, ``git log --notes=wavefleet`` shows each commit's lines.
    """
    say(a_channel(fleet.url, tmp_path / "cache"), a_status("wave 1", revision=fleet.head))
    run_git(tmp_path, "clone", "--quiet", fleet.url, "clone")
    run_git(tmp_path / "clone", "fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*")
    log = run_git(tmp_path / "clone", "log", "--notes=wavefleet")

    assert "Notes (wavefleet):\n    pending wavefleet/prod-eu: wave 1" in log


def test_many_statuses_travel_in_one_push(fleet: FleetRepository, server: GitServer, tmp_path: Path) -> None:
    """
    What is due together costs one push; of one context the last one counts, on each commit.
    """
    first = fleet.head
    second = fleet.publish({"fleet.yaml": "kind: Fleet # changed\n"})
    groups = [a_status("new", revision=first, context=f"wavefleet/g{number}") for number in range(20)]
    say(
        a_channel(server.url("fleet.git"), tmp_path),
        a_status("old", revision=first, context="wavefleet/g7"),
        *groups,
        a_status("head", revision=second),
    )

    assert 1 == server.commands.count("push")
    assert [f"pending wavefleet/g{number}: new" for number in sorted(range(20), key=str)] == fleet.notes(
        REF, first
    ).splitlines()
    assert "pending wavefleet/prod-eu: head" == fleet.notes(REF, second)


def test_the_same_line_twice_pushes_nothing(fleet: FleetRepository, server: GitServer, tmp_path: Path) -> None:
    """
    Neither this process nor the next one makes a commit or a push for what the note says already.
    """
    status = a_status("wave 1", revision=fleet.head)
    channel = a_channel(server.url("fleet.git"), tmp_path)
    reference = say(channel, status)
    server.forget()

    assert reference == say(channel, status) == say(a_channel(server.url("fleet.git"), tmp_path), status)
    assert "push" not in server.commands
    assert "1" == run_git(fleet.bare, "rev-list", "--count", REF)


def test_a_push_needs_no_fetch_while_nobody_else_writes(
    fleet: FleetRepository, server: GitServer, tmp_path: Path
) -> None:
    """
    The first delivery of a process learns what is there; the next ones only push.
    """
    channel = a_channel(server.url("fleet.git"), tmp_path)
    say(channel, a_status("wave 1", revision=fleet.head))
    server.forget()
    say(channel, a_status("wave 2", revision=fleet.head))

    assert ["push"] == server.commands


def test_what_others_wrote_meanwhile_is_kept(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A second writer, and a person by hand: our line replaces ours, every other line stays.
    """
    ours, theirs = a_channel(fleet.url, tmp_path / "ours"), a_channel(fleet.url, tmp_path / "theirs")
    say(ours, a_status("wave 1", revision=fleet.head))
    say(theirs, a_status("wave 1", revision=fleet.head, context="wavefleet/aa-other"))
    fleet.git("fetch", "--quiet", "origin", f"{REF}:{REF}")
    fleet.git("notes", f"--ref={REF}", "append", "-m", "looked at by Ana", fleet.head)
    fleet.git("push", "--quiet", "origin", REF)
    say(ours, a_status("wave 2", revision=fleet.head))

    assert [
        "pending wavefleet/aa-other: wave 1",
        "pending wavefleet/prod-eu: wave 2",
        "",
        "looked at by Ana",
    ] == fleet.notes(REF, fleet.head).splitlines()


def test_two_that_push_at_once_lose_no_line(fleet: FleetRepository, server: GitServer, tmp_path: Path) -> None:
    """
    Whoever comes second fetches, merges and pushes again.
    """
    failures: list[ReportError] = []

    def write(name: str) -> None:
        channel = a_channel(server.url("fleet.git"), tmp_path / name)
        for number in range(4):
            status = a_status(f"wave {number}", revision=fleet.head, context=f"wavefleet/{name}")
            try:
                say(channel, status)
            except ReportDelayed as error:
                failures.append(error)
                say(channel, status)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert ["pending wavefleet/a: wave 3", "pending wavefleet/b: wave 3"] == fleet.notes(REF, fleet.head).splitlines()


def test_losing_every_race_is_a_delay(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    The tries are bounded: at a remote where somebody else always comes first, the message waits.
    """
    channel = a_channel(fleet.url, tmp_path / "cache")
    say(channel, a_status("wave 1", revision=fleet.head))
    hook, tries = fleet.bare / "hooks" / "update", tmp_path / "tries"
    hook.write_text(f"#!/bin/sh\necho try >>'{tries}'\necho 'cannot lock ref' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ReportDelayed, match="others pushed notes each time"):
        say(channel, a_status("wave 2", revision=fleet.head))
    hook.unlink()
    say(channel, a_status("wave 2", revision=fleet.head))

    assert notes.TRIES_MAX == len(tries.read_text().splitlines())
    assert "pending wavefleet/prod-eu: wave 2" == fleet.notes(REF, fleet.head)


def test_a_rule_of_the_remote_waits_for_a_person(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A hook that declines our notes is shown with its own words; nothing is lost.
    """
    hook = fleet.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'only humans push here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ReportDelayed, match="only humans push here") as caught:
        say(a_channel(fleet.url, tmp_path), a_status(revision=fleet.head))

    assert 300 == caught.value.retry_after_seconds


def test_notes_that_were_deleted_on_the_remote_are_written_again(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Our copy is a cache: what the remote does not have we do not have.
    """
    say(a_channel(fleet.url, tmp_path), a_status("wave 1", revision=fleet.head))
    run_git(fleet.bare, "update-ref", "-d", REF)
    say(a_channel(fleet.url, tmp_path), a_status("wave 1", revision=fleet.head))

    assert "pending wavefleet/prod-eu: wave 1" == fleet.notes(REF, fleet.head)


def truncate_objects(cache: Path) -> None:
    """Damage the stored notes."""
    for file in (cache / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"")


def leave_locks(cache: Path) -> None:
    """Leave what a Git that was killed leaves."""
    (cache / "packed-refs.lock").touch()
    (cache / "refs" / "notes" / "wavefleet.lock").touch()


@pytest.mark.parametrize("damage", [truncate_objects, leave_locks])
def test_a_damaged_cache_is_made_anew(fleet: FleetRepository, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """
    A cache holds nothing that the remote has not; damage costs a fetch and no line.
    """
    say(a_channel(fleet.url, tmp_path), a_status("wave 1", revision=fleet.head))
    damage(tmp_path / "notes.git")
    other = a_status("valid", revision=fleet.head, context="wavefleet/config")
    say(a_channel(fleet.url, tmp_path), other)

    assert 2 == len(fleet.notes(REF, fleet.head).splitlines())


def test_thousands_of_loose_objects_are_packed(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Each status makes three files; a daemon that runs for years must not drown in them.
    """
    channel = a_channel(fleet.url, tmp_path)
    say(channel, a_status("wave 1", revision=fleet.head))
    sample = tmp_path / "notes.git" / "objects" / "17"
    sample.mkdir(exist_ok=True)
    for number in range(40):
        (sample / f"{number:038x}").write_bytes(b"")
    run_git(fleet.bare, "cat-file", "-e", REF)
    with_garbage = say(channel, a_status("wave 2", revision=fleet.head))

    assert with_garbage == run_git(fleet.bare, "rev-parse", REF)
    assert [] == list((tmp_path / "notes.git" / "objects").glob("17/*"))


def test_a_folder_of_somebody_else_is_not_deleted(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Only a repository with our mark is ever made anew.
    """
    (tmp_path / "notes.git").mkdir()
    precious = tmp_path / "notes.git" / "HEAD"
    precious.write_text("not a head")
    with pytest.raises(ReportDelayed, match="files of somebody else"):
        say(a_channel(fleet.url, tmp_path), a_status(revision=fleet.head))

    assert "not a head" == precious.read_text()


def test_a_remote_that_wants_a_login_waits_for_a_person(tmp_path: Path, fleet: FleetRepository) -> None:
    """
    Without the token it is a delay with a sentence; with it the notes arrive, and no error shows it.
    """
    with GitServer(tmp_path / "remote", credentials=Credentials("wavefleet", "open-sesame")) as server:
        for password in (None, "wrong-and-secret"):
            remote = GitRemote(server.url("fleet.git"), GitCredentials("wavefleet", password))
            with pytest.raises(ReportDelayed, match="401") as caught:
                say(NotesChannel(GitCommand(remote), tmp_path / "cache"), a_status(revision=fleet.head))
            assert 300 == caught.value.retry_after_seconds
            assert "wrong-and-secret" not in str(caught.value)
        good = GitRemote(server.url("fleet.git"), GitCredentials("wavefleet", "open-sesame"))
        say(NotesChannel(GitCommand(good), tmp_path / "cache"), a_status("wave 1", revision=fleet.head))

    assert "pending wavefleet/prod-eu: wave 1" == fleet.notes(REF, fleet.head)


def test_check_rehearses_a_push(tmp_path: Path, fleet: FleetRepository) -> None:
    """
    It tells whether notes could be pushed, and pushes none.
    """
    with GitServer(tmp_path / "remote") as server:
        assert "takes refs/notes/wavefleet" in a_channel(server.url("fleet.git"), tmp_path / "a").check()
    with GitServer(tmp_path / "remote", may_push=False) as server, pytest.raises(ReportDelayed, match="403"):
        a_channel(server.url("fleet.git"), tmp_path / "b").check()

    assert "" == run_git(fleet.bare, "for-each-ref", "refs/notes")


@pytest.mark.parametrize("revision", ["main", "--help", "3f2a91c0de", "g" * 40, ""])
def test_a_revision_is_a_whole_commit_id(fleet: FleetRepository, tmp_path: Path, revision: str) -> None:
    """
    Anything else could be an option to Git, or a branch that moves.
    """
    with pytest.raises(ReportRefused, match="whole commit id"):
        say(a_channel(fleet.url, tmp_path), a_status(revision=revision))


def test_a_commit_that_the_remote_lacks_can_still_carry_a_note(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Notes are kept by name; the commit may be pruned, or come later.
    """
    say(a_channel(fleet.url, tmp_path), a_status("wave 1", revision=OTHER_REVISION))

    assert "pending wavefleet/prod-eu: wave 1" == fleet.notes(REF, OTHER_REVISION)


def test_threads_are_not_for_notes(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    They are refused, with where they belong.
    """
    with pytest.raises(ReportRefused, match="Slack"):
        a_channel(fleet.url, tmp_path).deliver(a_delivery(a_head()))


def test_a_note_too_large_to_be_ours_is_left_alone(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Somebody keeps a megabyte there; it is neither read into memory nor cut.
    """
    huge = tmp_path / "huge"
    huge.write_text("x" * (notes.NOTE_BYTES_MAX + 1))
    fleet.git("notes", f"--ref={REF}", "add", "-F", str(huge), fleet.head)
    fleet.git("push", "--quiet", "origin", REF)
    with pytest.raises(ReportRefused, match="left as it is"):
        say(a_channel(fleet.url, tmp_path), a_status(revision=fleet.head))


LINES = st.lists(
    st.builds(
        lambda state, context, words: f"{state} {context}: {words}",
        st.sampled_from(list(StatusState)),
        st.sampled_from(["ci", "wavefleet/a", "wavefleet/b", "wavefleet/config"]),
        st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20),
    )
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=20),
    max_size=8,
)


@given(LINES, st.sampled_from(["wavefleet/a", "wavefleet/new"]), st.text(max_size=200))
def test_a_merge_touches_nobody_else_s_lines(lines: list[str], context: str, words: str) -> None:
    """
    Safety: every line of another context survives, ours stands there once, and merging again changes nothing.
    """
    status = a_status(words, context=context)
    note = merged("\n".join(lines), [status])
    others = [line for line in lines if f" {context}: " not in line]

    assert sorted(others) == sorted(line for line in note.splitlines() if f" {context}: " not in line)
    assert 1 == sum(line.startswith(f"pending {context}: ") for line in note.splitlines())
    assert note == merged(note, [status])
