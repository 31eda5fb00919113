"""One connection to one broker, that puts Kafka's questions and keeps a deadline.

Messages, their versions and the logins are kafka-python's; the connection is our own. Its admin client starts a thread
for each cluster, connects anew after its bootstrap, fetches all topics only to know the brokers, waits for each answer
before the next question, and knows no deadline over several of them. Here questions go out together and are answered in
their order, so that what counts behind a long line is not how many there are. Nothing is retried, and nothing outlives
``close``.
"""

import io
import ssl
import struct
from collections import deque
from threading import Lock
from types import TracebackType
from typing import Any, Self

from kafka.errors import IncompatibleBrokerVersion, for_code
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from controller.brokers.deadline import Deadline
from controller.brokers.sockets import Address, BrokerError, connect, said
from controller.versions import Minor

ANSWER_BYTES_MAX = 100_000_000
"""As Kafka's own clients have it."""

Message = Any
"""A question or an answer of kafka-python, which comes without types."""

_CLIENT_ID = "wavefleet"
_HELLO_VERSION = 3
"""Every broker from 2.4 on answers it, with its features; a higher one that it does not know costs a round trip."""
_LOGIN_FAILED, _NO_SUCH_MECHANISM, _NO_LOGIN_HERE = 58, 33, 34
_TLS_ALERT = 0x15
_DECODING = Lock()
"""Held while an answer is decoded: kafka-python compiles each decoder at its first use, with parts of it changed for
that time, and two threads that do so at once leave it broken for the life of the process."""


class LoginRefused(BrokerError):
    """The broker does not take who we say that we are; every other one of its cluster would say the same."""


class NoAnswerInTime(BrokerError):
    """The deadline came before the answer. The connection is of no more use."""


class BrokerClient:
    """A connection that is ready for questions; ``options`` are those of ``Access``. Used by one thread at a time."""

    def __init__(self, address: Address, options: dict[str, Any], deadline: Deadline) -> None:
        """Connect and log in; BrokerError where that fails."""
        self.address = address
        self._options = options
        self._waiting: deque[Message] = deque()
        self._sent = 0
        self._versions: BrokerVersionData | None = None
        self._socket = connect(address, options.get("ssl_context"), deadline)
        try:
            self._say_hello(deadline)
            if "sasl_mechanism" in options:
                self._log_in(deadline)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def usable(self) -> bool:
        """Whether it can be asked anew: it is open, and no answer is outstanding."""
        return self._socket.fileno() >= 0 and not self._waiting

    def close(self) -> None:
        """Let go of the connection; harmless where that was done."""
        self._socket.close()

    def offers(self, question: Message) -> bool:
        """Tell whether this broker answers such questions at all."""
        return question.API_KEY in self._known.api_versions

    def ask(self, question: Message, deadline: Deadline) -> Message:
        """Put one question and return its answer."""
        self.put(question, deadline=deadline)
        return self.take(deadline)

    def put(self, *questions: Message, deadline: Deadline) -> None:
        """Send questions without waiting for answers; only the first may be long, or both sides could wait to send."""
        frames = []
        for question in questions:
            if question.API_VERSION is None:
                question.API_VERSION = self._version_of(question)
            self._sent += 1
            question.with_header(correlation_id=self._sent, client_id=_CLIENT_ID)
            frames.append(bytes(question.encode(framed=True, header=True)))
            self._waiting.append(question.header)
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(b"".join(frames))
        except OSError as error:
            raise self._broken(error) from error

    def take(self, deadline: Deadline) -> Message:
        """Return the answer to the oldest question that has none yet."""
        header = self._waiting[0]
        size = self._read(4, deadline)
        if size[0] == _TLS_ALERT:
            raise self._error("speaks TLS there: give this cluster TLS, or use its plain port")
        (length,) = struct.unpack(">i", size)
        if not 0 < length <= ANSWER_BYTES_MAX:
            raise self._error(f"answers in {length} bytes, expected at most {ANSWER_BYTES_MAX}: is it a Kafka broker?")
        frame = io.BytesIO(self._read(length, deadline))
        self._waiting.popleft()
        kind = header.get_response_class()
        try:
            with _DECODING:
                answered = kind.parse_header(frame).correlation_id
                answer = kind.decode(frame)
        except Exception as error:
            # It decodes what a stranger sent, and stumbles over that in any way.
            raise self._error("gives an answer that cannot be read: is it a Kafka broker?") from error
        if answered != header.correlation_id:
            raise self._error("answers another question than was put: is there a proxy in between?")
        return answer

    def _read(self, count: int, deadline: Deadline) -> bytearray:
        content = bytearray(count)
        view, got = memoryview(content), 0
        while got < count:
            try:
                # What trickles in keeps the deadline too: the socket's own limit is for one piece.
                self._socket.settimeout(_left(deadline))
                piece = self._socket.recv_into(view[got:])
            except OSError as error:
                raise self._broken(error) from error
            if not piece:
                raise self._broken(ConnectionResetError())
            got += piece
        return content

    def _broken(self, error: OSError) -> BrokerError:
        """Return what to say of a connection that broke, and let go of it."""
        if isinstance(error, TimeoutError):
            self.close()
            return NoAnswerInTime(f"{self.address}: {said(error)}")
        if isinstance(error, ssl.SSLError):
            return self._error(said(error))
        if self._versions is None:
            hint = "it speaks TLS, or is no Kafka broker" if "ssl_context" not in self._options else "is it Kafka?"
            return self._error(f"hangs up on the first question: {hint}")
        if "sasl_mechanism" not in self._options:
            return self._error("hangs up: it stops, or wants a login (give this cluster a user name and password)")
        return self._error("hangs up")

    def _error(self, why: str) -> BrokerError:
        self.close()
        return BrokerError(f"{self.address}: {why}")

    @property
    def _known(self) -> BrokerVersionData:
        assert self._versions is not None, "set by the first answer"
        return self._versions

    def _version_of(self, question: Message) -> int:
        try:
            version: int = self._known.api_version(question)
        except IncompatibleBrokerVersion as error:
            raise self._error(f"does not know {question.name}: is it a controller, or older than 3.3?") from error
        return version

    def _say_hello(self, deadline: Deadline) -> None:
        hello = ApiVersionsRequest(client_software_name=_CLIENT_ID, client_software_version="1", version=_HELLO_VERSION)
        answer = self.ask(hello, deadline)
        if answer.error_code:
            raise self._error(f"does not say what it knows: {name_of(answer.error_code)}; is it older than 2.4?")
        ranges = {it.api_key: (it.min_version, it.max_version) for it in answer.api_keys}
        self._versions = BrokerVersionData(api_versions=ranges)
        self.line: Minor = self._versions.broker_version[:2]
        """The release line that it answers like."""
        finalized = {it.name: it.max_version_level for it in answer.finalized_features or ()}
        self.metadata_level: int | None = finalized.get("metadata.version")
        """The level of metadata.version that it takes for finalized; None where it does not say."""

    def _log_in(self, deadline: Deadline) -> None:
        wanted, name = self._options["sasl_mechanism"], self._options["sasl_plain_username"]
        offered = self.ask(SaslHandshakeRequest(mechanism=wanted, version=1), deadline)
        if offered.error_code == _NO_LOGIN_HERE:
            raise self._refused("takes no login there: use its SASL port, or no user name for this cluster")
        if offered.error_code == _NO_SUCH_MECHANISM:
            raise self._refused(f"takes no login by {wanted}, but by {', '.join(sorted(offered.mechanisms))}")
        if offered.error_code:
            raise self._error(f"takes no login: {name_of(offered.error_code)}")
        secrets = {key: value for key, value in self._options.items() if key.startswith("sasl_")}
        mechanism = get_sasl_mechanism(wanted)(**secrets)
        while not mechanism.is_done():
            answer = self.ask(SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes()), deadline)
            if answer.error_code == _LOGIN_FAILED:
                raise self._refused(f"does not take the password of {name!r} by {wanted}: check both")
            if answer.error_code:
                raise self._error(f"takes no login: {name_of(answer.error_code)}")
            try:
                mechanism.receive(answer.auth_bytes)
            except (ValueError, LookupError):
                # Its own words could hold parts of what was exchanged.
                raise self._refused(f"does not prove that it knows the password of {name!r} itself") from None

    def _refused(self, why: str) -> LoginRefused:
        self.close()
        return LoginRefused(f"{self.address}: {why}")


def name_of(error_code: int) -> str:
    """Return Kafka's name of an error, such as ``NOT_CONTROLLER``."""
    kind = for_code(error_code)
    return str(getattr(kind, "message", None) or kind.__name__)


def _left(deadline: Deadline) -> float:
    """Return the seconds left; TimeoutError where there are none, since 0 would tell a socket not to wait at all."""
    left = deadline.left
    if left <= 0:
        raise TimeoutError
    return left
