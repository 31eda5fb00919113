"""How a call to an API server fails, by what a caller does about it."""

from collections.abc import Mapping

import msgspec

from controller import typedjson

SENTENCE_LENGTH_MAX = 600
RENEW = "renew the token or the certificate that we show, or mend the login program of the kubeconfig"

ANONYMOUS = "system:anonymous"
"""What the server calls whoever shows nothing."""


class KubeError(Exception):
    """A call failed. Its sentence is safe to show, and names the server."""

    def __init__(self, sentence: str, *, may_have_arrived: bool) -> None:
        super().__init__(sentence)
        self.may_have_arrived = may_have_arrived
        """True where what was asked may have been done all the same."""


class Unanswered(KubeError):
    """No answer, or none that could be read."""


class Refused(KubeError):
    """The server said no, in words of its own."""

    def __init__(
        self, sentence: str, *, status: int, reason: str = "", retry_after_seconds: float | None = None
    ) -> None:
        # It may have given up on what its store does all the same, or one in front of it may have given up on it.
        super().__init__(sentence, may_have_arrived=status >= 500)
        self.status = status
        """Such as 403, 404, 409, 410, 422 or 429."""
        self.reason = reason
        """One word of the server's own, such as ``NotFound``; empty where another one answered for it."""
        self.retry_after_seconds = retry_after_seconds

    @property
    def says_gone(self) -> bool:
        """True where the server itself says that there is no such thing; a 404 of one in front of it says nothing."""
        return self.status == 404 and self.reason == "NotFound"

    @property
    def is_temporary(self) -> bool:
        """True where the server could not answer now: too many requests, or a fault of its own."""
        return self.status == 429 or self.status >= 500


class _Status(msgspec.Struct):
    """An answer of kind Status (apimachinery, ``metav1.Status``)."""

    message: str = ""
    reason: str = ""
    code: int = 0


def refusal(server: str, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """Return what an answer with an error status says."""
    try:
        said = typedjson.decode(body, _Status)
    except typedjson.UNREADABLE:
        said = _Status(body.decode("utf-8", "replace"))
    words = " ".join(said.message.split())[:SENTENCE_LENGTH_MAX] or "no word of why"
    if status == 401 or (status == 403 and ANONYMOUS in words):
        words = f"{words}; {RENEW}"
    sentence, again = f"{server} answered {status}: {words}", _retry_after(headers)
    return Refused(sentence, status=status, reason=said.reason, retry_after_seconds=again)


def failure_in_stream(server: str, body: bytes) -> Refused:
    """Return what an ERROR event of a watch says; its object is a Status."""
    try:
        said = typedjson.decode(body, _Status)
    except typedjson.UNREADABLE:
        said = _Status("an error that cannot be read", code=500)
    return Refused(f"{server} ended the watch: {said.message or said.reason}", status=said.code or 500)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
