"""Reads when a cluster counts as healthy, of the fleet's defaults and of a group."""

from controller.model.health import CHECKS, Health
from controller.model.observation import Severity
from controller.repository import values
from controller.repository.fields import Fields
from controller.repository.written import WrittenHealth

_OFF = "off"
_BARE = Health()


def read_health(fields: Fields) -> WrittenHealth:
    """Return what is written of health, each check as it is without a word."""
    disk, lag = fields.fields("diskUsage"), fields.fields("consumerLag")
    warn, block = disk.read("warn", values.percent), disk.read("block", values.percent)
    rules = Health(
        asks_brokers=fields.read("brokers", values.on) is not False,
        severities=_severities(fields),
        disk_warn=_BARE.disk_warn if warn is None else warn / 100,
        disk_block=_BARE.disk_block if block is None else block / 100,
        ignored_topics=tuple(word.text for word in fields.words("ignoreTopics")),
        consumer_groups=tuple(word.text for word in lag.words("groups")),
        lag_above=lag.read("above", values.whole_number) or _BARE.lag_above,
    )
    if rules.disk_warn > rules.disk_block:
        found = f"a warning from {rules.disk_warn:.0%} on, above the {rules.disk_block:.0%} that block"
        disk.note("warn" if warn is not None else "block", found, "warn at most as high as block")
    return WrittenHealth(fields.read("samples", values.whole_number), rules)


def _severities(fields: Fields) -> dict[str, Severity | None]:
    written = fields.fields("checks")
    words = {check: word.text for check in CHECKS if (word := written.word(check)) is not None}
    return {check: None if text == _OFF else Severity(text) for check, text in words.items()}
