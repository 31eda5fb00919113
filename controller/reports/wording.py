"""What every channel does to words: cut them to a length, draw progress, mark a state.

The sentences themselves come with the message; nothing here adds meaning. Lengths are counted in code points, as the
forges and Slack count them.
"""

import re

from controller.model.outbox import StatusState, ThreadHead

ELLIPSIS = "…"
REVISION_CHARACTERS = 10
"""So much of a revision is shown to people: unique in any repository they will have."""
BAR_CELLS = 20

STATE_SYMBOLS = {
    StatusState.PENDING: "⏳",
    StatusState.SUCCESS: "✅",
    StatusState.FAILURE: "⛔",
    StatusState.ERROR: "⚠️",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but line ends and tabs, marks that turn the direction of what follows, halves of characters."""
OBSERVE_SENTENCE = "Observe mode: nothing is written to any cluster."
PERSON_SENTENCE = "A person must act:"


def cut(text: str, most: int) -> str:
    """Return ``text``, or its beginning and an ellipsis, in at most ``most`` code points."""
    assert most > len(ELLIPSIS), most
    return text if len(text) <= most else text[: most - len(ELLIPSIS)].rstrip() + ELLIPSIS


def printable(text: str) -> str:
    """Return ``text`` with ``?`` for every character that would change how the rest of it is shown."""
    return _CONTROL.sub("?", text)


def one_line(text: str) -> str:
    """Return ``text`` with every run of white space, line ends too, made one blank."""
    return " ".join(text.split())


def short(revision: str) -> str:
    """Return as much of a revision as people read."""
    return revision[:REVISION_CHARACTERS]


def progress(head: ThreadHead) -> str:
    """Draw how far a rollout is, such as ``▓▓▓▓░░░░ 4/10``; empty where there is nothing to count.

    The bar is full only when everything is done, and not empty once something is.
    """
    if head.of <= 0:
        return ""
    done = min(max(head.done, 0), head.of)
    filled = max(BAR_CELLS * done // head.of, 1 if done else 0)
    return f"{'▓' * filled}{'░' * (BAR_CELLS - filled)} {done}/{head.of}"
