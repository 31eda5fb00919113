"""The documents say what the code does: settings, metrics and hold reasons, each of them and nothing else.

A table in a document is compared row by row with what the code would write there, so that the failure shows the row to
paste. Prose around the tables is for people to keep true.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from controller.fleets.strimzi.reading import REFUSALS
from controller.history.records import ClusterState, StopKind
from controller.model.durations import format_duration
from controller.model.health import Health
from controller.model.outbox import StatusState
from controller.model.verdict import HoldReason
from controller.reports.metrics import CALL_OUTCOMES, CHANNELS, CYCLE_RESULTS, OTHER, SYSTEMS, Metrics
from controller.repository import defaults
from controller.settings import SETTINGS, SETTINGS_FILE_ENV, SETTINGS_FILE_FLAG, Setting
from tests.reports.plans import a_group, a_history, a_plan

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WHO = {"nobody", "author", "approver", "operator"}
"""Who must act: nobody, who writes the fleet repository, who may approve, who runs the clusters and Wavefleet."""


def table_of(document: str, first_heading: str) -> list[list[str]]:
    """Return the rows of the table of ``document`` whose first column is called ``first_heading``, without its head."""
    lines = (DOCS / document).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def settings_row(setting: Setting) -> list[str]:
    """Return what the documentation says of one setting."""
    variables = f"`{setting.env}`" + (f", `{setting.file_env}`" if setting.file_env else "")
    as_written = setting.default is not None
    default = f"`{setting.default_words}`" if as_written else setting.default_words
    return [variables, f"`{setting.key}`", f"`{setting.flag}`", default, setting.kind.expected, setting.doc]


def test_every_setting_is_documented() -> None:
    """
    The table has exactly the rows of the code, in its order, with its defaults, bounds and sentences.
    """
    assert [settings_row(setting) for setting in SETTINGS] == table_of("settings.md", "Variable")


def test_the_way_to_name_a_settings_file_is_documented() -> None:
    """
    The one variable that is no row is told in the prose.
    """
    text = (DOCS / "settings.md").read_text(encoding="utf-8")

    assert f"`{SETTINGS_FILE_ENV}`" in text
    assert f"`{SETTINGS_FILE_FLAG} FILE`" in text


def test_every_default_is_documented() -> None:
    """
    What a fleet repository leaves out means what the table says, and the two times of the process stand beside it.
    """
    first, later = format_duration(defaults.SOAK_OF_FIRST_WAVE), format_duration(defaults.SOAK_OF_LATER_WAVES)
    soaks = [first] + [later] * (len(defaults.WAVES) - 1)
    waves = [f"`{name}`: size {size}, soak {soak}" for (name, size), soak in zip(defaults.WAVES, soaks, strict=True)]
    expected = {
        "`strategy.waves`": ", then ".join(waves),
        "`soak` of a wave": f"{first} for the first, {later} for later ones",
        "`maxInFlight` of a wave": str(defaults.MAX_IN_FLIGHT),
        "`strategy.failureBudget`": str(defaults.FAILURE_BUDGET),
        "`strategy.deadline`": format_duration(defaults.DEADLINE),
        "`strategy.onFailure`": str(defaults.ON_FAILURE),
        "`health.samples`": str(defaults.SAMPLES),
        "`health.brokers`": "on" if Health().asks_brokers else "off",
        "`health.diskUsage`": f"warn {Health().disk_warn:.0%}, block {Health().disk_block:.0%}",
        "`health.consumerLag.above`": str(Health().lag_above),
        "`metadataVersion`": str(defaults.METADATA_VERSION),
        "`finalize.soak`": format_duration(defaults.FINALIZE_SOAK),
        "`samples` of a Prometheus gate": str(defaults.GATE_SAMPLES),
        "`limits.unavailable`": f"{defaults.UNAVAILABLE_PERCENT}%",
        "`limits.clustersInFlight`": str(defaults.CLUSTERS_IN_FLIGHT),
        "`brokers`": str(defaults.BROKERS),
        "`perBroker`": format_duration(defaults.PER_BROKER),
        "`settle`": format_duration(defaults.SETTLE),
    }
    expected |= {f"`{row.name}`": row.default_words for row in SETTINGS if row.name in {"interval", "stale_after"}}

    documented = {key: default for key, _, default, _ in table_of("defaults.md", "Key")}

    assert expected == {key: documented.get(key) for key in expected}
    assert WITHOUT_A_DEFAULT_IN_THE_TABLE == documented.keys() - expected.keys()


WITHOUT_A_DEFAULT_IN_THE_TABLE = {
    "`windows`",
    "`select` of a wave",
    "`gates`",
    "`health.checks`",
    "`health.ignoreTopics`",
    "`health.consumerLag.groups`",
    "`expedite`",
    "`soak` of an expedited target",
    "`ignoreWindows`, `ignoreFreezes`",
    "`groups` of an expedited target or a freeze",
    "`after`",
    "`halted`",
    "`limits.perDomain`",
    "`limits.neverTogether`",
}
"""Keys that mean nothing, nobody or everybody where they are left out: they need no value in the code's table."""


def test_every_field_of_a_kubernetes_source_is_documented() -> None:
    """
    The fields of the schema that belong to it, in its order and with its sentences.
    """
    fields = json.loads((ROOT / "schemas" / "fleet.schema.json").read_text())["$defs"]["source"]["properties"]
    described = {f"`{name}`": field["description"] for name, field in fields.items()}
    suffix = re.compile("; of a (lab or )?strimzi source")
    own = {name: suffix.sub("", text) for name, text in described.items() if suffix.search(text)}

    assert own == {row[0]: row[2] for row in table_of("strimzi.md", "Field")}


def test_every_refusal_of_an_operator_is_documented() -> None:
    """
    The reasons for which a cluster has failed at once, and no others.
    """
    (row,) = (row for row in table_of("strimzi.md", "Seen") if row[0].startswith("`NotReady` with `"))

    assert REFUSALS == set(re.findall(r"`(\w+)`", row[0])) - {"NotReady"}


def metrics_rows() -> list[list[str]]:
    """Return name, type, labels and sentence of every metric that a scrape of a fleet with one group shows."""
    metrics = Metrics("0.1.0")
    metrics.observe_plan(a_plan(a_group()), a_history())
    rows = []
    for family in text_string_to_metric_families(metrics.render().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        rows.append([f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation])
    return rows


def test_every_metric_is_documented() -> None:
    """
    The table has exactly the metrics of the code, with their types, labels and sentences.
    """
    assert metrics_rows() == table_of("metrics.md", "Metric")


def test_every_value_of_a_label_is_documented() -> None:
    """
    The values that a label of a fixed set can have are listed, each set whole and in its order.
    """
    expected = [
        ["`result`", *listed(CYCLE_RESULTS)],
        ["`system`", *listed(SYSTEMS)],
        ["`outcome`", *listed(CALL_OUTCOMES)],
        ["`channel`", *listed((*CHANNELS, OTHER))],
        ["`state` of clusters", *listed(ClusterState)],
        ["`state` of groups", *listed(StatusState)],
        ["`kind`", *listed(StopKind)],
    ]

    assert expected == [row[:2] for row in table_of("metrics.md", "Label")]


def listed(words: Iterable[str]) -> list[str]:
    """Return a table's cell that lists ``words``."""
    return [", ".join(f"`{word}`" for word in words)]


def test_every_hold_reason_is_documented() -> None:
    """
    Each public reason, in the order of the code, with what it means, what lifts it and who must act.
    """
    rows = table_of("hold-reasons.md", "Reason")

    assert [f"`{reason}`" for reason in HoldReason] == [row[0] for row in rows]
    for name, meaning, lifted_by, who in rows:
        assert meaning.endswith("."), name
        assert lifted_by.endswith("."), name
        assert who in WHO, name


def test_every_document_is_found_from_the_readme() -> None:
    """
    Whoever reads README.md is led to each document, and whoever changes the code to the table of states as well.
    """
    readme, contributing = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))

    assert [] == [path.name for path in sorted(DOCS.glob("*.md")) if f"(docs/{path.name})" not in readme]
    assert "(docs/states.md)" in contributing


def test_links_between_documents_lead_somewhere() -> None:
    """
    Every relative link of a document names a file that is there, and a heading that it has.
    """
    broken = []
    for document in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("fleet-example/*.md"),
        *ROOT.glob("deploy/*.md"),
    ):
        links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
        local = [link for link in links if "://" not in link]
        broken += [f"{document.relative_to(ROOT)}: {link}" for link in local if not leads_somewhere(document, link)]

    assert [] == broken


def leads_somewhere(document: Path, link: str) -> bool:
    """Tell whether a link's file is there, and has the heading that the link names."""
    file, _, heading = link.partition("#")
    path = document.parent / file if file else document
    if not path.exists():
        return False
    if not heading:
        return True
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return heading in {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
