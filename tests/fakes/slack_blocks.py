"""What Slack refuses in a message's blocks: the limits of Block Kit, as documented.

Only the kinds of blocks that a report may use are known; any other is refused, so a new one is added here on purpose.
Sources: the Block Kit reference (50 blocks, 3,000 characters of section text, …) and slack_sdk's own models for the
rest. The bound on all blocks together is undocumented; it was measured by users (slackapi/bolt-js issue 2509).
"""

from collections.abc import Callable, Iterator
from typing import Any

BLOCKS_MAX = 50
ALL_TEXT_CHARACTERS_MAX = 13_200
BLOCK_ID_CHARACTERS_MAX = 255
SECTION_TEXT_CHARACTERS_MAX = 3000
SECTION_FIELDS_MAX = 10
SECTION_FIELD_CHARACTERS_MAX = 2000
HEADER_CHARACTERS_MAX = 150
CONTEXT_ELEMENTS_MAX = 10
ACTIONS_ELEMENTS_MAX = 25
BUTTON_TEXT_CHARACTERS_MAX = 75
BUTTON_VALUE_CHARACTERS_MAX = 2000
URL_CHARACTERS_MAX = 3000
MARKDOWN_CHARACTERS_MAX = 12_000
TABLE_ROWS_MAX = 100
TABLE_CELLS_MAX = 20

Problems = Iterator[str]


def refusal(blocks: object) -> tuple[str, list[str]] | None:
    """The error Slack answers for these blocks, and its details; None when it takes them."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return "invalid_blocks_format", ["blocks is no list of objects"]
    problems = list(_problems(blocks))
    if problems:
        return "invalid_blocks", [f"[ERROR] {problem}" for problem in problems]
    if sum(len(text) for text in texts(blocks)) > ALL_TEXT_CHARACTERS_MAX:
        return "msg_blocks_too_long", []
    return None


def texts(content: object) -> Iterator[str]:
    """Every text in blocks, in the order it is shown."""
    if isinstance(content, list):
        for element in content:
            yield from texts(element)
    elif isinstance(content, dict):
        for name, element in content.items():
            if name == "text" and isinstance(element, str):
                yield element
            else:
                yield from texts(element)


def _problems(blocks: list[dict[str, Any]]) -> Problems:
    if len(blocks) > BLOCKS_MAX:
        yield f"no more than {BLOCKS_MAX} items allowed [json-pointer:/blocks]"
    named = [block["block_id"] for block in blocks if "block_id" in block]
    if len(named) != len(set(named)):
        yield "block_id exists more than once [json-pointer:/blocks]"
    for place, block in enumerate(blocks):
        at = f"[json-pointer:/blocks/{place}]"
        if not _is_text(block.get("block_id", "id"), BLOCK_ID_CHARACTERS_MAX):
            yield f"block_id must be 1 to {BLOCK_ID_CHARACTERS_MAX} characters {at}"
        judge = _JUDGES.get(str(block.get("type")))
        if judge is None:
            yield f"unsupported type: {block.get('type')} {at}"
        else:
            yield from (f"{problem} {at}" for problem in judge(block))


def _is_text(content: object, characters_max: int) -> bool:
    return isinstance(content, str) and 1 <= len(content) <= characters_max


def _is_text_object(content: object, characters_max: int, kinds: tuple[str, ...] = ("mrkdwn", "plain_text")) -> bool:
    return isinstance(content, dict) and content.get("type") in kinds and _is_text(content.get("text"), characters_max)


def _section(block: dict[str, Any]) -> Problems:
    if "text" not in block and not block.get("fields"):
        yield "a section needs text or fields"
    if "text" in block and not _is_text_object(block["text"], SECTION_TEXT_CHARACTERS_MAX):
        yield f"text must be a text object of 1 to {SECTION_TEXT_CHARACTERS_MAX} characters"
    fields = block.get("fields", [])
    if len(fields) > SECTION_FIELDS_MAX:
        yield f"no more than {SECTION_FIELDS_MAX} fields allowed"
    if not all(_is_text_object(each, SECTION_FIELD_CHARACTERS_MAX) for each in fields):
        yield f"each field must be a text object of 1 to {SECTION_FIELD_CHARACTERS_MAX} characters"
    if "accessory" in block:
        yield from _button(block["accessory"])


def _header(block: dict[str, Any]) -> Problems:
    if not _is_text_object(block.get("text"), HEADER_CHARACTERS_MAX, ("plain_text",)):
        yield f"text must be plain_text of 1 to {HEADER_CHARACTERS_MAX} characters"


def _context(block: dict[str, Any]) -> Problems:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= CONTEXT_ELEMENTS_MAX:
        yield f"1 to {CONTEXT_ELEMENTS_MAX} elements allowed"
    if not all(_is_text_object(element, SECTION_TEXT_CHARACTERS_MAX) for element in elements):
        yield "each element must be a text object"


def _actions(block: dict[str, Any]) -> Problems:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= ACTIONS_ELEMENTS_MAX:
        yield f"1 to {ACTIONS_ELEMENTS_MAX} elements allowed"
    for element in elements:
        yield from _button(element)


def _button(element: dict[str, Any]) -> Problems:
    if element.get("type") != "button":
        yield f"unsupported element: {element.get('type')}"
    if not _is_text_object(element.get("text"), BUTTON_TEXT_CHARACTERS_MAX, ("plain_text",)):
        yield f"a button's text must be plain_text of 1 to {BUTTON_TEXT_CHARACTERS_MAX} characters"
    if not _is_text(element.get("value", "value"), BUTTON_VALUE_CHARACTERS_MAX):
        yield f"a button's value must be 1 to {BUTTON_VALUE_CHARACTERS_MAX} characters"
    if not _is_text(element.get("url", "url"), URL_CHARACTERS_MAX):
        yield f"a button's url must be 1 to {URL_CHARACTERS_MAX} characters"


def _markdown(block: dict[str, Any]) -> Problems:
    if not _is_text(block.get("text"), MARKDOWN_CHARACTERS_MAX):
        yield f"text must be 1 to {MARKDOWN_CHARACTERS_MAX} characters"


def _table(block: dict[str, Any]) -> Problems:
    rows = block.get("rows", [])
    if not 1 <= len(rows) <= TABLE_ROWS_MAX:
        yield f"1 to {TABLE_ROWS_MAX} rows allowed"
    if any(not isinstance(row, list) or not 1 <= len(row) <= TABLE_CELLS_MAX for row in rows):
        yield f"1 to {TABLE_CELLS_MAX} cells allowed in a row"


def _divider(_: dict[str, Any]) -> Problems:
    return iter(())


_JUDGES: dict[str, Callable[[dict[str, Any]], Problems]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "markdown": _markdown,
    "table": _table,
    "divider": _divider,
}
