"""Bounded calls to one API server: each has a time limit and a size, and answers in bytes.

Nothing is sent twice that the server may have done. A call that it did not take on is: after a 401, with credentials
that were read anew; and a reading that it wants to be asked for later (``Retry-After``), within its time limit.
"""

import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from controller.kube.faults import Refused, Unanswered, refusal
from controller.kube.login import Connect, Login
from controller.kube.patience import Patience

CONNECT_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 256 * 2**20
LINE_BYTES_MAX = 16 * 2**20
"""Of one event of a watch; a resource has at most about 1.5 MiB."""
ERROR_BYTES_MAX = 64 * 1024
MERGE_PATCH = "application/merge-patch+json"
WRITER = "wavefleet"
"""Who writes, in the words of ``metadata.managedFields``."""

_CHUNK = 256 * 1024


Query = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    query: Query | None = None
    body: Mapping[str, Any] | None = None
    kind: str = ""
    """Content type of the body."""


class KubeApi:
    """The calls that we make, from several threads at once. All of them raise ``KubeError``."""

    def __init__(self, connect: Connect, name: str, limit_seconds: float) -> None:
        """Log in by ``connect``, now and whenever the server takes our credentials no more; raises ObservationError."""
        self._login = Login(connect, name)
        self._patience = Patience()
        self.name = name
        """What sentences call the server."""
        self._limit_seconds = limit_seconds

    def get(self, path: str, query: Query | None = None) -> bytes:
        """Return what is at ``path``."""
        deadline = self._deadline()
        while True:
            try:
                return self._whole(_Call("GET", path, query), deadline)
            except Refused as error:
                if error.retry_after_seconds is None:
                    raise
            self._patience.wait(deadline)

    def patch(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> bytes:
        """Merge ``body`` into what is at ``path``, or on ``dry_run`` only ask whether that would be taken."""
        query = {"fieldManager": WRITER, **({"dryRun": "All"} if dry_run else {})}
        return self._whole(_Call("PATCH", path, query, body, MERGE_PATCH), self._deadline())

    def create(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Make a resource in the collection ``path``."""
        return self._whole(_Call("POST", path, {"fieldManager": WRITER}, body, "application/json"), self._deadline())

    def lines(self, path: str, query: Query, quiet_seconds: float) -> Generator[bytes]:
        """Yield each line of an answer that does not end, such as a watch; ``quiet_seconds`` may pass between two.

        To be closed by whoever stops before its end, so that its connection is.
        """
        with self._answer(_Call("GET", path, query), self._deadline(), quiet_seconds) as answer:
            rest = b""
            for piece in self._pieces(answer, None):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    raise Unanswered(f"{self.name} sent a line without end", may_have_arrived=True)
                yield from (line for line in lines if line)

    def close(self) -> None:
        """Let go of every connection, and let nobody wait any longer."""
        self._patience.close()
        self._login.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._limit_seconds

    def _whole(self, call: _Call, deadline: float) -> bytes:
        with self._answer(call, deadline) as answer:
            return b"".join(self._pieces(answer, deadline))

    @contextmanager
    def _answer(
        self, call: _Call, deadline: float, quiet_seconds: float | None = None
    ) -> Iterator[urllib3.HTTPResponse]:
        """Yield the answer where the server does what it is asked; until ``deadline``, or for as long as it speaks."""
        self._patience.wait(deadline)
        answer = self._send_as_known(call, deadline, quiet_seconds)
        try:
            if answer.status >= 300:  # a redirection too: whoever stands there is not the server that we know
                raise self._refusal(answer, deadline)
            yield answer
        finally:
            # A connection whose answer was not read to its end is of no use to the next call.
            if answer.isclosed():
                answer.release_conn()
            else:
                answer.close()

    def _refusal(self, answer: urllib3.HTTPResponse, deadline: float) -> Refused:
        """Return what the server says against it; the status counts, also where its words do not arrive."""
        said = b""
        try:
            for piece in self._pieces(answer, deadline):
                said += piece
                if len(said) > ERROR_BYTES_MAX:
                    break
        except Unanswered:
            pass
        refused = refusal(self.name, answer.status, answer.headers, said[:ERROR_BYTES_MAX])
        self._patience.note(refused)
        return refused

    def _send_as_known(self, call: _Call, deadline: float, quiet_seconds: float | None) -> urllib3.HTTPResponse:
        """Send it, and again with credentials read anew where those at hand are refused: then it was not done."""
        client = self._login.client(deadline)
        answer = self._send(client, call, deadline, quiet_seconds)
        if answer.status != 401 and not (answer.status == 403 and _shows_nothing(client)):
            return answer
        try:
            renewed = self._login.renewed(client, deadline)
        except Unanswered:
            answer.close()
            raise
        if renewed is None:
            return answer
        answer.close()
        return self._send(renewed, call, deadline, quiet_seconds)

    def _send(
        self, client: ApiClient, call: _Call, deadline: float, quiet_seconds: float | None
    ) -> urllib3.HTTPResponse:
        headers = self._headers(client, call)
        url = f"{client.configuration.host}{call.path}{'?' + urlencode(call.query) if call.query else ''}"
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unanswered(f"{self.name} did not answer in time", may_have_arrived=False)
        limits = (min(CONNECT_SECONDS_MAX, left), quiet_seconds or left)
        try:
            sent = client.rest_client.request(  # type: ignore[no-untyped-call]
                call.method, url, headers=headers, body=call.body, _request_timeout=limits
            )
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise self._unanswered(error) from None
        except ValueError:  # of a token that is no header; what it says would show it
            raise self._has_no_token() from None
        answer: urllib3.HTTPResponse = sent.response
        return answer

    def _headers(self, client: ApiClient, call: _Call) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": WRITER}
        if call.kind:
            headers["Content-Type"] = call.kind
        try:  # that of a pod is read anew every minute
            token = client.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except (ConfigException, OSError):
            raise self._has_no_token() from None
        if token:
            headers["authorization"] = token.strip()  # a file that holds one ends with its line
        return headers

    def _has_no_token(self) -> Unanswered:
        why = f"{self.name}: the token cannot be read, or is none; check what the kubeconfig or the pod has of it"
        return Unanswered(why, may_have_arrived=False)

    def _pieces(self, answer: urllib3.HTTPResponse, deadline: float | None) -> Iterator[bytes]:
        """Yield the answer as it comes; each piece by ``deadline``, however slowly they trickle."""
        size = 0
        try:
            while True:
                if deadline is not None:
                    self._limit(answer, deadline, size)
                piece = answer.read1(_CHUNK)
                if not piece:
                    return
                size += len(piece)
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unanswered(error) from None

    def _limit(self, answer: urllib3.HTTPResponse, deadline: float, size: int) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or size > ANSWER_BYTES_MAX:
            raise Unanswered(f"{self.name} sent {size:,} bytes and was not done", may_have_arrived=True)
        connection = answer.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(left)

    def _unanswered(self, error: Exception) -> Unanswered:
        """Say what happened in our words: an exception's own may hold an address with a token in it."""
        cause: BaseException | None = error.__context__ if isinstance(error, ApiException) else error
        through = ""
        if isinstance(cause, urllib3.exceptions.ProxyError):
            cause, through = cause.original_error, " through its proxy"
        not_there = urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        if isinstance(cause, not_there) or through:
            return Unanswered(f"{self.name} cannot be reached{through}", may_have_arrived=False)
        if isinstance(cause, urllib3.exceptions.SSLError):
            if isinstance(cause.args[0], ssl.SSLCertVerificationError):
                why = f"{self.name} does not prove that it is the server that we know (TLS)"
                return Unanswered(why, may_have_arrived=False)
            return Unanswered(f"{self.name} broke off (TLS)", may_have_arrived=True)
        if isinstance(cause, urllib3.exceptions.TimeoutError | TimeoutError):
            return Unanswered(f"{self.name} did not answer in time", may_have_arrived=True)
        return Unanswered(f"{self.name} broke off ({type(cause).__name__})", may_have_arrived=True)


def _shows_nothing(client: ApiClient) -> bool:
    """Tell whether we come as nobody: a login program that fails leaves no token, and nobody is forbidden things."""
    return not client.configuration.api_key and not client.configuration.cert_file
