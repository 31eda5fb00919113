"""The verifier on a real broker: it has to see what an upgrade could do to records, or its silence proves nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.lab.acknowledged import LoadReport
from controller.lab.load import verify
from tests.real.kafka import Kafka, Shape

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

RUN = "0123abcd"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker."""
    with Kafka(tmp_path_factory.mktemp("kafka") / "kafka", Shape()) as cluster:
        yield cluster


def write(kafka: Kafka, topic: str, records: Sequence[str]) -> None:
    """Make a topic of one partition that holds these records, in this order."""
    from kafka import KafkaProducer

    with kafka.admin() as admin:
        options: dict[str, Any] = {"assignments": {0: [1]}, "configs": {}}
        admin.create_topics({topic: options}, wait_for_metadata=True)
    producer = KafkaProducer(bootstrap_servers=list(kafka.bootstrap))
    for record in records:
        producer.send(topic, record.encode(), partition=0).get(30)
    producer.close()


def acknowledged(folder: Path, *records: str) -> Path:
    """The file of a load to which these were acknowledged."""
    file = folder / "load.acked"
    file.write_text("".join(f"0 {offset} {record}\n" for offset, record in enumerate(records)))
    return file


def named(*numbers: int, key: int = 4) -> list[str]:
    """Records of one key, by their numbers."""
    return [f"{RUN}-{key}-{number}" for number in numbers]


@pytest.mark.parametrize(
    ("topic", "held", "expected"),
    [
        ("whole", named(0, 1, 2), LoadReport(3, 0, 0)),
        ("with-others", [*named(0, 1, 2), "unrelated", *named(3), *named(0, key=5)], LoadReport(3, 0, 0)),
        ("one-lost", named(0, 2), LoadReport(3, 1, 0, 0, (f"lost {RUN}-4-1",))),
        ("all-lost", [], LoadReport(3, 3, 0, 0, tuple(f"lost {each}" for each in named(0, 1, 2)))),
        ("twice", named(0, 1, 1, 2), LoadReport(3, 0, 1, 0, (f"twice {RUN}-4-1",))),
        ("turned-round", named(0, 2, 1), LoadReport(3, 0, 0, 1, (f"out of order {RUN}-4-1",))),
    ],
)
def test_what_became_of_records_is_told(
    kafka: Kafka, tmp_path: Path, topic: str, held: list[str], expected: LoadReport
) -> None:
    """
    Lost, twice and out of order, each by name; what nobody was promised is passed over.
    """
    write(kafka, topic, held)

    assert expected == verify(kafka.bootstrap[0], topic, acknowledged(tmp_path, *named(0, 1, 2)))


def test_a_topic_that_is_gone_has_lost_everything(kafka: Kafka, tmp_path: Path) -> None:
    """
    Safety: a deleted topic is told as what it is, each acknowledged record lost, and is not made anew by asking.
    """
    said: list[str] = []
    for _ in range(2):
        report = verify(kafka.bootstrap[0], "gone", acknowledged(tmp_path, *named(0, 1)), said.append)
        assert LoadReport(2, 2, 0, 0, tuple(f"lost {each}" for each in named(0, 1))) == report

    assert [f"gone at {kafka.bootstrap[0]}: there is no such topic"] * 2 == said
