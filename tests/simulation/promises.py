"""The safety promises, checked from beside the controller. Shares no code with the core.

Each promise is a function of what was recorded before (``Book``), what this cycle saw (``Scene``) and one entry of it;
it yields a sentence for everything that breaks it. ``Checkers`` go through a cycle's entries in order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.history import entries as e
from tests.simulation.book import Book
from tests.simulation.rules_ends import failures_stop, halt_sticks, record_first, told_truly
from tests.simulation.rules_starts import healthy_first, in_bounds, in_window, one_wave, soak_first, unknown_holds
from tests.simulation.rules_ways import finalize_last, legal_hop, note_order, note_whole, order
from tests.simulation.scene import Scene


class PromiseBroken(AssertionError):
    """A safety promise was broken; names it."""


Rule = Callable[[Book, Scene, e.Entry], Iterator[str]]

RULES: dict[str, Rule] = {
    "one-wave": one_wave,
    "healthy-first": healthy_first,
    "unknown-holds": unknown_holds,
    "in-bounds": in_bounds,
    "soak-first": soak_first,
    "in-window": in_window,
    "legal-hop": legal_hop,
    "order": order,
    "finalize-last": finalize_last,
    "halt-sticks": halt_sticks,
    "record-first": record_first,
}
"""By the name of its promise."""

AT_THE_END: dict[str, Callable[[Book, Scene], Iterator[str]]] = {
    "halt-sticks": failures_stop,
    "record-first": told_truly,
}
"""What can be told only once all of a cycle's entries were taken."""


def _pass_over(book: Book, entry: e.Entry) -> None:
    del book, entry


@dataclass(frozen=True, slots=True)
class Checkers:
    """The promises that are checked, all of them unless said otherwise."""

    promises: frozenset[str] = frozenset()
    """Empty = all."""
    note: Callable[[Book, e.Entry], None] = _pass_over
    """Shown each entry, with the book as it stands before."""

    def check(self, book: Book, scene: Scene) -> None:
        """Take one cycle into ``book``; raises PromiseBroken for the first entry that breaks a promise."""
        book.look(scene)
        for entry in scene.entries:
            self.note(book, entry)
            for promise, rule in RULES.items():
                self._expect_none(promise, rule(book, scene, entry), entry)
            book.take(entry, scene.now)
        for promise, last_rule in AT_THE_END.items():
            self._expect_none(promise, last_rule(book, scene))
        note_order(book, scene)
        note_whole(book, scene)
        book.leave(scene)

    def _expect_none(self, promise: str, sentences: Iterator[str], entry: e.Entry | None = None) -> None:
        if not self.promises or promise in self.promises:
            for why in sentences:
                raise PromiseBroken(f"{promise}: {why}{f': {entry}' if entry else ''}")
