"""How a Git command fails, by what a caller does about it, and the sentence a person reads.

Git tells most failures only in words on stderr. They are matched here, once, against the words of Git 2.30 to 2.5x in
the C locale (source: provoked in the tests with real servers); what is not recognised is shown as Git said it, bounded.
"""

import re
from enum import StrEnum

from controller.errors import RepositoryError
from controller.gitcommand.remote import GitRemote

_WORDS_LENGTH_MAX = 300


class GitFault(StrEnum):
    """What went wrong, by what helps."""

    UNREACHABLE = "unreachable"
    """No proper answer from the remote: try again."""
    TIME_LIMIT = "time limit"
    """Ended by us after the time limit: try again."""
    DENIED = "denied"
    """Our credentials are missing, wrong, or not good for this: a person must mend them."""
    NOT_FOUND = "not found"
    """The remote has no such repository, or hides it from us."""
    NO_REF = "no ref"
    """The remote has no such branch or revision."""
    CONFLICT = "conflict"
    """A push lost against another one: fetch, merge, push again."""
    REFUSED = "refused"
    """The remote took the push and refused it, by a rule of its own."""
    TOO_LARGE = "too large"
    """Git had more to say than the caller is ready to take."""
    LOCAL = "local"
    """Everything else: our own copy is damaged, the disk is full, Git cannot be started."""


class GitError(RepositoryError):
    """A Git command failed; ``fault`` says how. Its sentence is safe to show and says what to do."""

    def __init__(self, fault: GitFault, sentence: str) -> None:
        self.fault = fault
        super().__init__(sentence)


_KNOWN: tuple[tuple[GitFault, str, str], ...] = (
    (
        GitFault.DENIED,
        r"Host key verification failed|No .*host key is known",
        "the server's host key is not the one in known_hosts; compare the keys and mend that file",
    ),
    (
        GitFault.DENIED,
        r"Load key .*|UNPROTECTED PRIVATE KEY FILE",
        "the private key cannot be used; it must be in OpenSSH's format, readable by us alone, without a passphrase",
    ),
    (
        GitFault.DENIED,
        r"Permission denied \(",
        "the server does not know our SSH key; add its public half there as a deploy key",
    ),
    (
        GitFault.DENIED,
        r"requested URL returned error: 403",
        "answered 403 (forbidden); give the token the right to do this with the repository",
    ),
    (
        GitFault.NOT_FOUND,
        r"repository '.*' not found|does not appear to be a git repository|returned error: 404|repository not found",
        "found no repository there, or none that we may see; check the address and the token's rights",
    ),
    (
        GitFault.NO_REF,
        r"couldn't find remote ref|not our ref|not allow request for unadvertised object",
        "the branch or revision asked for is not there (any more)",
    ),
    (
        GitFault.LOCAL,
        r"detected dubious ownership",
        "the repository belongs to another user of this machine; run as its owner or serve it over HTTP or SSH",
    ),
    (
        GitFault.UNREACHABLE,
        r"requested URL returned error: 30\d|unable to update url base from redirection",
        "the remote redirects elsewhere, and credentials are not sent on; use the new address",
    ),
    (
        GitFault.UNREACHABLE,
        r"returned error: (429|5\d\d)|remote error:",
        "the server answers, but not this; looking again helps once it is well",
    ),
    (
        GitFault.UNREACHABLE,
        r"unable to access|unable to connect|Could not resolve host|Connection (refused|timed out|reset|closed)",
        "cannot be reached; look at its address, the network and the server",
    ),
    (
        GitFault.UNREACHABLE,
        r"the remote end hung up|early EOF|RPC failed|kex_exchange|banner exchange|Network is unreachable",
        "the connection broke; looking again helps once network and server are well",
    ),
)
"""In the order of asking: the first whose words Git used counts."""

_PUSHES: tuple[tuple[GitFault, str, str], ...] = (
    (
        GitFault.CONFLICT,
        r"\[rejected\]|cannot lock ref|failed to update ref|incorrect old value provided",
        "somebody else pushed meanwhile",
    ),
    (GitFault.REFUSED, r"\[remote rejected\]|remote unpack failed", "the remote refused the push"),
)
"""Before the others, where a push failed."""

_NO_CREDENTIALS = re.compile(r"could not read (Username|Password)|Authentication failed|returned error: 401")
_TALKS_TO_REMOTE_ONLY = re.compile(r"Could not read from remote repository|fatal: protocol error|bad line length")


def fault_of(words: str, remote: GitRemote, *, is_push: bool) -> GitError:
    """Return the error for a command that talked to ``remote`` and failed with ``words``."""
    if _NO_CREDENTIALS.search(words):
        return GitError(GitFault.DENIED, f"{remote.url}: {_unauthorised(remote)}")
    for fault, pattern, sentence in (*(_PUSHES if is_push else ()), *_KNOWN):
        if re.search(pattern, words):
            return GitError(fault, f"{remote.url}: {sentence} (git: {said(words, remote)})")
    fault = GitFault.UNREACHABLE if _TALKS_TO_REMOTE_ONLY.search(words) else GitFault.LOCAL
    return GitError(fault, f"{remote.url}: git failed: {said(words, remote)}")


def said(words: str, remote: GitRemote) -> str:
    """Return what Git said that matters, in one bounded line without secrets and control characters."""
    lines = [line.strip() for line in remote.redacted(words).splitlines()]
    telling = [line for line in lines if re.match(r"(fatal|error|remote|ssh|Load key|Host key|!)\b|!", line)]
    line = "; ".join(dict.fromkeys(telling or [line for line in lines if line])) or "nothing"
    printable = "".join(character if character.isprintable() else "?" for character in line)
    return printable if len(printable) <= _WORDS_LENGTH_MAX else printable[:_WORDS_LENGTH_MAX] + "…"


def _unauthorised(remote: GitRemote) -> str:
    if remote.credentials.password is None:
        return "answered 401: it wants credentials and none are set; set a token that may read the repository"
    return "answered 401: it does not take our user name and token; renew the token or check the user name"
