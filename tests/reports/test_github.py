"""GitHub: its limits, its two kinds of 403, and its many 422s, each told for what it is."""

from collections.abc import Iterator

import pytest

from controller.errors import ReportDelayed, ReportError, ReportRefused
from controller.model.outbox import StatusState
from controller.reports.github import GitHub
from controller.reports.statuses import StatusChannel
from tests.fakes.github import TOKEN, FakeGitHub
from tests.fakes.loopback import Answer, Trouble
from tests.reports.messages import GROUP_CONTEXT, REVISION, a_delivery, a_status

REPOSITORY = "acme/fleet"
FAR_AWAY = 4_000_000_000
"""A moment in 2096, in seconds since 1970."""


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """GitHub with one repository."""
    with FakeGitHub() as running:
        running.add_repository(REPOSITORY)
        yield running


def a_channel(github: FakeGitHub, repository: str = REPOSITORY, token: str = TOKEN) -> StatusChannel:
    """A channel as a new process makes it."""
    return StatusChannel(GitHub(github.api_url, repository, token))


def refusal(channel: StatusChannel) -> ReportError:
    """The error that posting meets."""
    with pytest.raises(ReportError) as caught:
        channel.deliver(a_delivery(a_status()))
    return caught.value


def test_a_status_arrives_whole(github: FakeGitHub) -> None:
    """
    State, context and description are as said; the reference is the row's id.
    """
    reference = a_channel(github).deliver(a_delivery(a_status("all soaked", state=StatusState.SUCCESS)))
    (row,) = github.statuses(REPOSITORY, REVISION)

    assert (str(row.id), "success", GROUP_CONTEXT, "all soaked") == (
        reference,
        row.state,
        row.context,
        row.description,
    )


def test_the_version_of_the_api_is_named(github: FakeGitHub) -> None:
    """
    GitHub breaks calls that name none once a version ends; and we say it to this server, not to api.github.com.
    """
    a_channel(github).deliver(a_delivery(a_status()))

    assert ["2022-11-28"] * 2 == [call.headers["x-github-api-version"] for call in github.calls]
    assert all(call.path.startswith("/api/v3/repos/acme/fleet/") for call in github.calls)


def test_the_newest_row_is_found_among_many(github: FakeGitHub) -> None:
    """
    A busy commit has pages of rows; ours on a later page is still found, without regard to case.
    """
    forge = GitHub(github.api_url, REPOSITORY, TOKEN)
    forge.post(a_status("one", context="Wavefleet/Prod-EU"))
    for number in range(110):
        forge.post(a_status(context=f"ci/{number}"))
    a_channel(github).deliver(a_delivery(a_status("one"), in_doubt=True))

    assert 111 == len(github.statuses(REPOSITORY, REVISION))


def test_an_end_of_rows_is_told_as_what_it_is(github: FakeGitHub) -> None:
    """
    After 1,000 rows of a commit and context there is no more room; that one message is dropped, with the reason.
    """
    full = Answer.json(
        {
            "message": "Validation Failed",
            "errors": [{"message": "This SHA and context has reached the maximum number of statuses."}],
        },
        422,
    )
    github.suffer(Trouble(only="/statuses/", answer=full))
    error = refusal(a_channel(github))

    assert isinstance(error, ReportRefused)
    assert "maximum number of statuses" in str(error)


def test_an_unknown_commit_is_refused_with_a_sentence(github: FakeGitHub) -> None:
    """
    No later try helps where the forge's repository does not have the commit.
    """
    github.add_repository("acme/other", commits=["b" * 40])
    error = refusal(a_channel(github, "acme/other"))

    assert isinstance(error, ReportRefused)
    assert f"No commit found for SHA: {REVISION}" in str(error)


def test_a_token_or_a_name_that_is_wrong_waits_for_a_person(github: FakeGitHub) -> None:
    """
    401, 403 and 404 each say what to mend; the message waits, the token is not shown.
    """
    github.add_repository("acme/read-only", is_writable=False)
    for channel, words in (
        (a_channel(github, token="ghp_very-secret"), "does not know the token"),
        (a_channel(github, "acme/read-only"), "right to write commit statuses"),
        (a_channel(github, "acme/nowhere"), "no such repository"),
    ):
        error = refusal(channel)
        assert isinstance(error, ReportDelayed)
        assert (300, False) == (error.retry_after_seconds, error.in_doubt)
        assert words in str(error)
        assert "very-secret" not in str(error)


@pytest.mark.parametrize("status", [403, 429])
def test_the_secondary_limit_is_no_missing_right(github: FakeGitHub, status: int) -> None:
    """
    403 may mean "too fast": what GitHub asks for is waited, and a minute where it names no time.
    """
    channel = a_channel(github)
    for asked, wait in ((37, 37), (None, 60)):
        github.rate_limit(asked, status=status)
        error = refusal(channel)
        assert isinstance(error, ReportDelayed)
        assert (wait, False) == (error.retry_after_seconds, error.in_doubt)
        assert "limits us" in str(error)
    assert 2 == len(github.calls), "PyGithub did not try again by itself"


def test_the_primary_limit_is_waited_out_by_the_server_s_clock(github: FakeGitHub) -> None:
    """
    The limit ends at a moment; how far that is, the answer's own date tells, whatever our clock shows.
    """
    github.exhaust(FAR_AWAY)
    error = refusal(a_channel(github))

    assert isinstance(error, ReportDelayed)
    assert error.retry_after_seconds is not None
    assert error.retry_after_seconds > 1_000_000, "that far is the end of the limit from the date in the answer"


def test_a_call_given_up_on_is_looked_for_only_after_it_had_time_to_arrive(github: FakeGitHub) -> None:
    """
    What is still on its way would not be found at once, and then be posted twice.
    """
    channel = StatusChannel(GitHub(github.api_url, REPOSITORY, TOKEN, limit_seconds=1))
    github.hang(only="/statuses/")
    error = refusal(channel)

    assert isinstance(error, ReportDelayed)
    assert (30, True) == (error.retry_after_seconds, error.in_doubt)
    assert "no answer within 1 s" in str(error)


def test_check_tells_what_is_missing(github: FakeGitHub) -> None:
    """
    It asks for the repository and posts nothing.
    """
    assert "acme/fleet is there" in a_channel(github).check()
    with pytest.raises(ReportDelayed, match="no such repository"):
        a_channel(github, "acme/nowhere").check()
    read_only = Answer.json({"full_name": REPOSITORY, "permissions": {"push": False}})
    github.suffer(Trouble(answer=read_only))
    with pytest.raises(ReportRefused, match="write access"):
        a_channel(github).check()

    assert [] == github.statuses(REPOSITORY, REVISION)
