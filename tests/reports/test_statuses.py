"""What is true of commit statuses on every forge: their limits, and looking before the first post."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import ReportDelayed, ReportRefused, SettingsError
from controller.model.outbox import CommitStatus, StatusState
from controller.reports.statuses import (
    CONTEXT_CHARACTERS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    Row,
    StatusChannel,
    as_shown,
    checked_repository,
    shown_context,
)
from tests.reports.messages import OTHER_REVISION, a_delivery, a_head, a_reply, a_status


@dataclass
class ForgeInMemory:
    """Keeps rows in a list and counts how often it is read."""

    name: str = "forge"
    rows: list[CommitStatus] = field(default_factory=list)
    looks: int = 0
    failures: list[ReportDelayed] = field(default_factory=list)
    """Met by the next looks."""

    def newest(self, revision: str, context: str) -> Row | None:
        """The newest row of a context."""
        self.looks += 1
        if self.failures:
            raise self.failures.pop(0)
        for number, row in reversed(list(enumerate(self.rows))):
            if (row.revision, row.context) == (revision, context):
                return Row(str(number), row.state.value, row.description)
        return None

    def post(self, status: CommitStatus) -> str:
        """Append a row."""
        self.rows.append(status)
        return str(len(self.rows) - 1)

    def check(self) -> str:
        """Say something."""
        return "there"


def test_a_context_is_looked_up_once_per_process() -> None:
    """
    The first post of a context after a start looks first; the next ones know.
    """
    forge = ForgeInMemory()
    channel = StatusChannel(forge)
    for number in range(3):
        channel.deliver(a_delivery(a_status(f"wave {number}")))
    channel.deliver(a_delivery(a_status(revision=OTHER_REVISION)))

    assert 2 == forge.looks
    assert 4 == len(forge.rows)


def test_a_status_that_the_forge_says_already_is_not_posted() -> None:
    """
    After a lost ledger, or in doubt, the newest row of the context tells; an older row does not count.
    """
    forge = ForgeInMemory()
    StatusChannel(forge).deliver(a_delivery(a_status("one")))
    assert "0" == StatusChannel(forge).deliver(a_delivery(a_status("one")))
    assert 1 == len(forge.rows)

    StatusChannel(forge).deliver(a_delivery(a_status("two")))
    StatusChannel(forge).deliver(a_delivery(a_status("one")))
    assert ["one", "two", "one"] == [row.description for row in forge.rows]


def test_the_same_words_in_another_state_are_posted() -> None:
    """
    State and words are compared, not one of them.
    """
    forge = ForgeInMemory()
    for state in (StatusState.PENDING, StatusState.FAILURE):
        StatusChannel(forge).deliver(a_delivery(a_status("halted", state=state)))

    assert [StatusState.PENDING, StatusState.FAILURE] == [row.state for row in forge.rows]


def test_a_look_that_fails_posts_nothing_and_is_made_again() -> None:
    """
    Without the look nobody knows; doubt stays where it was, and what the server asked for is handed on.
    """
    forge = ForgeInMemory(failures=[ReportDelayed("limit", retry_after_seconds=7) for _ in range(2)])
    channel = StatusChannel(forge)
    for in_doubt in (False, True):
        with pytest.raises(ReportDelayed) as caught:
            channel.deliver(a_delivery(a_status(), in_doubt=in_doubt))
        assert (7, in_doubt) == (caught.value.retry_after_seconds, caught.value.in_doubt)
    assert [] == forge.rows

    channel.deliver(a_delivery(a_status()))
    assert 3 == forge.looks


@pytest.mark.parametrize("body", [a_head(), a_reply()])
def test_threads_are_not_for_a_forge(body: CommitStatus) -> None:
    """
    They are refused, with where they belong.
    """
    with pytest.raises(ReportRefused, match="Slack"):
        StatusChannel(ForgeInMemory()).deliver(a_delivery(body))


def test_a_description_is_cut_to_140_code_points() -> None:
    """
    At the limit nothing is cut; above it an ellipsis says that something is missing. Line ends become blanks.
    """
    assert "d" * 140 == as_shown(a_status("d" * 140)).description
    assert "d" * 139 + "…" == as_shown(a_status("d" * 141)).description
    assert "🐦" * 139 + "…" == as_shown(a_status("🐦" * 150)).description, "code points, not UTF-16 units"
    assert "one two" == as_shown(a_status(" one\n\ttwo ")).description


def test_a_long_context_keeps_its_identity() -> None:
    """
    Two contexts that differ only in what is cut off stay two, and the same one stays the same.
    """
    long, other = "wavefleet/" + "g" * 300 + "a", "wavefleet/" + "g" * 300 + "b"

    assert "g" * 255 == shown_context("g" * 255)
    assert 255 == len(shown_context(long))
    assert shown_context(long) == shown_context(long) != shown_context(other)
    assert "-" == shown_context(long)[-13]


@given(st.text(max_size=600), st.text(max_size=600))
def test_every_status_fits(description: str, context: str) -> None:
    """
    Safety: whatever is said, no forge refuses it for its length, and showing it twice changes nothing.
    """
    shown = as_shown(a_status(description, context=context))

    assert len(shown.description) <= DESCRIPTION_CHARACTERS_MAX
    assert len(shown.context) <= CONTEXT_CHARACTERS_MAX
    assert shown == as_shown(shown)


@pytest.mark.parametrize("repository", ["fleet", "a/b/c", "../fleet", "acme/..", "acme/", "acme/fl eet", "acme/f?x"])
def test_a_repository_is_owner_and_name(repository: str) -> None:
    """
    Anything else would end up in another address of the forge's API.
    """
    assert "acme/fleet.one" == checked_repository("acme/fleet.one")
    with pytest.raises(SettingsError, match="OWNER/NAME"):
        checked_repository(repository)
