"""A story's text: blocks of a comment, a command and what came of it, as people read and write them.

    # A comment says why the next step is of interest.
    cycle
    ----
    Mon 00:01 prod: wave 1 canary admitted: p-2

A command may have further lines, indented by two spaces; a block ends with a blank line. Nothing here knows what a
command means.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

SEPARATOR = "----"


@dataclass(frozen=True, slots=True)
class Block:
    """One step of a story."""

    comments: tuple[str, ...]
    """Lines above the command, blank ones too."""
    command: str
    """Empty where a story ends with comments."""
    body: str
    """Further lines of the command, without their indent."""
    outcome: str


def parse(text: str) -> tuple[Block, ...]:
    """Return the blocks of a story; raises ValueError where one has no separator."""
    blocks = []
    lines = iter(text.splitlines())
    for comments, first in _commands(lines):
        command, *body = [first, *_until(lines, lambda line: line == SEPARATOR)]
        outcome = "\n".join(_until(lines, lambda line: not line))
        blocks.append(Block(comments, command, "\n".join(line.removeprefix("  ") for line in body), outcome))
    return tuple(blocks)


def _commands(lines: Iterator[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each command's first line with the comments above it."""
    comments: list[str] = []
    for line in lines:
        if not line or line.startswith("#"):
            comments.append(line)
        else:
            yield tuple(comments), line
            comments = []


def _until(lines: Iterator[str], is_end: Callable[[str], bool]) -> Iterator[str]:
    for line in lines:
        if is_end(line):
            return
        yield line


def render(blocks: Iterable[Block]) -> str:
    """Return the blocks as a story's text."""
    return "\n\n".join(_render(block) for block in blocks) + "\n"


def _render(block: Block) -> str:
    body = [f"  {line}" if line else "" for line in block.body.splitlines()]
    return "\n".join([*block.comments, block.command, *body, SEPARATOR, block.outcome])


def play(blocks: Iterable[Block], run: Callable[[str, str], str]) -> tuple[Block, ...]:
    """Run every command and return the blocks with what came of them now."""
    return tuple(replace(block, outcome=run(block.command, block.body)) for block in blocks)
