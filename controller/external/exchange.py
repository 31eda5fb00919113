"""One POST over HTTP: bounded in time and size, and whatever goes wrong outside is a value with a sentence.

Each has a session of its own: they run in many threads, and nothing (a cookie, a connection half read) may pass from
one question to the next. Redirects are not followed, since a secret, and a question about our fleet, must not travel on
to wherever an answer points. Proxies and the file of trusted certificates are taken from the environment as usual;
``.netrc`` is not. The time limit counts from the start and is looked at between reads; whoever asks has a last limit of
its own for what no read shows, such as a resolver that hangs. The client is imported at the first question.
"""

import errno
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.external.words import shown

if TYPE_CHECKING:
    import requests

ANSWER_BYTES_MAX = 256 * 1024

_CHUNK_BYTES = 16 * 1024
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Post:
    """What to send, and how long the whole may take."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    limit_seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever it says."""

    status: int
    body: bytes
    location: str = ""
    """Where a redirect points."""

    @property
    def is_redirect(self) -> bool:
        """It says that another address has the answer."""
        return self.status in _REDIRECTS


@dataclass(frozen=True, slots=True)
class NoReply:
    """There was no whole answer."""

    why: str
    """Goes on behind the other side's name: "did not answer within 10 s"."""


def exchange(post: Post) -> Reply | NoReply:
    """Send ``post`` and return the whole answer, or why there is none."""
    import requests
    from urllib3.exceptions import HTTPError

    deadline = time.monotonic() + post.limit_seconds
    try:
        with requests.Session() as session:
            session.auth = _as_it_is
            return _send(session, post, deadline)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        return NoReply(_why(error, post.limit_seconds))


def _send(session: "requests.Session", post: Post, deadline: float) -> Reply | NoReply:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **post.headers}
    with session.post(
        post.url, data=post.body, headers=headers, timeout=post.limit_seconds, allow_redirects=False, stream=True
    ) as response:
        body = bytearray()
        # Whatever has arrived, at most so much: reads of a whole chunk would wait for a server that trickles.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                return NoReply(f"answered with more than {ANSWER_BYTES_MAX // 1024} KiB, expected a short answer")
            if time.monotonic() > deadline:
                return NoReply(_too_late(post.limit_seconds))
        return Reply(response.status_code, bytes(body), response.headers.get("Location", ""))


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    """Stand where an authentication stands, so that requests takes none out of a ``.netrc``."""
    return request


def _why(error: BaseException, limit_seconds: float) -> str:
    """Return what went wrong, told by the error in the chain that says most."""
    import requests
    from urllib3 import exceptions

    chain = tuple(_chain(error))

    def came_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in chain)

    if came_of(TimeoutError):  # the socket's own: urllib3 calls every connection that fails a timeout
        return _too_late(limit_seconds)
    if came_of(exceptions.NameResolutionError):
        return "has a name that cannot be resolved; see the URL, and this machine's DNS"
    if came_of(requests.exceptions.SSLError, exceptions.SSLError):
        return f"has no certificate that is trusted here ({shown(_innermost(chain[-1]))}); see REQUESTS_CA_BUNDLE"
    if came_of(ConnectionRefusedError):
        return "refused the connection; see that it runs and listens there"
    if came_of(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, exceptions.LocationParseError):
        return "has no usable URL, expected https://HOST/PATH"
    return f"broke the connection ({_innermost(chain[-1])})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what it came of, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _innermost(error: BaseException) -> str:
    """Name the error that others were made of, in words that repeat no URL."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "verify_message", "") or error.reason or type(error).__name__)
    code = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return code or type(error).__name__


def _too_late(limit_seconds: float) -> str:
    return f"did not answer within {limit_seconds:g} s"
