"""The fake of GitHub behaves to PyGithub as GitHub is documented to: rows, limits, refusals, bad days."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import requests
from github import Auth, Github
from github.Commit import Commit
from github.GithubException import BadCredentialsException, GithubException, RateLimitExceededException

from tests.fakes.github import TOKEN, FakeGitHub
from tests.fakes.loopback import ManualClock

REVISION = "1f" * 20
CONTEXT = "wavefleet/payments"

Connect = Callable[..., Commit]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub with the repository ``acme/fleet``."""
    with FakeGitHub() as running:
        running.add_repository("acme/fleet")
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Gives the commit as the real client sees it: lazily, without its own retries and waits. Clients are closed."""
    with contextlib.ExitStack() as clients:

        def commit(github: FakeGitHub, *, repository: str = "acme/fleet", token: str = TOKEN) -> Commit:
            client = Github(
                auth=Auth.Token(token),
                base_url=github.api_url,
                timeout=5,
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=None,
                lazy=True,
            )
            clients.callback(client.close)
            return client.get_repo(repository).get_commit(REVISION)

        yield commit


def test_a_status_is_one_call_and_appends_a_row(github: FakeGitHub, connect: Connect) -> None:
    """
    Each post is one request and one more row; the newest stands first and counts.
    """
    for state in ("pending", "success"):
        connect(github).create_status(state, description=f"payments: {state}", context=CONTEXT)

    assert ["POST", "POST"] == [call.verb for call in github.calls]
    assert ["success", "pending"] == [status.state for status in connect(github).get_statuses()]
    assert "success" == github.state("acme/fleet", REVISION, CONTEXT)
    assert "success" == connect(github).get_combined_status().state


def test_many_rows_come_in_pages(github: FakeGitHub, connect: Connect) -> None:
    """
    A list of 65 rows is three requests, and every row is in it once.
    """
    github.fill("acme/fleet", REVISION, CONTEXT, rows=65)

    assert list(range(65, 0, -1)) == [status.id for status in connect(github).get_statuses()]
    assert 3 == len(github.calls)


def test_the_row_past_a_thousand_is_refused(github: FakeGitHub, connect: Connect) -> None:
    """
    A commit and context take 1,000 rows, then 422 with GitHub's own words; another context is not concerned.
    """
    github.fill("acme/fleet", REVISION, CONTEXT)
    with pytest.raises(GithubException, match="reached the maximum number of statuses") as refused:
        connect(github).create_status("success", context=CONTEXT.upper())
    connect(github).create_status("success", context="wavefleet/orders")

    assert 422 == refused.value.status


@pytest.mark.parametrize(
    ("blamed", "given"),
    [
        ("state", {"state": "running"}),
        ("description", {"state": "success", "description": "x" * 141}),
        ("context", {"state": "success", "context": "x" * 256}),
    ],
)
def test_a_malformed_status_is_refused(
    github: FakeGitHub, connect: Connect, blamed: str, given: dict[str, str]
) -> None:
    """
    A state GitHub does not know, or a text one character too long, is 422 and names the field; no row is made.
    """
    with pytest.raises(GithubException) as refused:
        connect(github).create_status(**given)

    assert (422, blamed) == (refused.value.status, refused.value.data["errors"][0]["field"])
    assert [] == github.statuses("acme/fleet", REVISION)


def test_texts_at_the_limits_are_taken(github: FakeGitHub, connect: Connect) -> None:
    """
    A description of 140 characters and a context of 255 pass.
    """
    connect(github).create_status("success", description="ü" * 140, context="x" * 255)

    assert 1 == len(github.statuses("acme/fleet", REVISION))


def test_who_may_not_is_told_so(github: FakeGitHub, connect: Connect) -> None:
    """
    A wrong token, an unseen repository, a read-only one and an unknown commit each have their own status.
    """
    github.add_repository("acme/read", is_writable=False)
    github.add_repository("acme/empty", commits=[])
    with pytest.raises(BadCredentialsException):
        connect(github, token="wrong").create_status("success")
    for repository, status in (("acme/none", 404), ("acme/read", 403), ("acme/empty", 422)):
        with pytest.raises(GithubException) as refused:
            connect(github, repository=repository).create_status("success")
        assert status == refused.value.status


def test_limits_say_when_to_come_again(github: FakeGitHub, connect: Connect) -> None:
    """
    The secondary limit carries ``Retry-After`` (or nothing), the primary one the second of its reset.
    """
    github.rate_limit(60)
    github.rate_limit(status=429)
    github.exhaust(1_800_000_000)
    headers = []
    for _ in range(3):
        with pytest.raises(GithubException) as refused:
            connect(github).create_status("success")
        headers.append({name.lower(): text for name, text in (refused.value.headers or {}).items()})

    assert "60" == headers[0]["retry-after"]
    assert "retry-after" not in headers[1]
    assert ("0", "1800000000") == (headers[2]["x-ratelimit-remaining"], headers[2]["x-ratelimit-reset"])


def test_a_hasty_client_meets_the_secondary_limit(connect: Connect) -> None:
    """
    With an interval set, a second post within it is refused, and taken once the interval is over.
    """
    clock = ManualClock()
    with FakeGitHub(mutation_interval_seconds=1, clock=clock) as github:
        github.add_repository("acme/fleet")
        connect(github).create_status("pending", context=CONTEXT)
        with pytest.raises(RateLimitExceededException):
            connect(github).create_status("success", context=CONTEXT)
        clock.advance(1)
        connect(github).create_status("success", context=CONTEXT)

    assert ["success", "pending"] == [row.state for row in github.statuses("acme/fleet", REVISION)]


def test_a_lost_answer_leaves_the_row(github: FakeGitHub, connect: Connect) -> None:
    """
    When the connection drops after the post was taken, the client fails and the row is there.
    """
    github.drop_after_taking(only="/statuses/")
    with pytest.raises(requests.ConnectionError):
        connect(github).create_status("success", context=CONTEXT)

    assert "success" == github.state("acme/fleet", REVISION, CONTEXT)


def test_a_broken_server_takes_nothing(github: FakeGitHub, connect: Connect) -> None:
    """
    A 502 and a dropped call make no row.
    """
    github.fail(502)
    github.drop()
    for error in (GithubException, requests.ConnectionError):
        with pytest.raises(error):
            connect(github).create_status("success", context=CONTEXT)

    assert github.state("acme/fleet", REVISION, CONTEXT) is None
