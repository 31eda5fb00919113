"""Which Kafka releases each release of the operator supports: the supported rows of Strimzi's ``kafka-versions.yaml``.

An operator newer than this table says so itself when it refuses one; until then nobody knows, and nothing is held.
"""

from collections.abc import Mapping

from controller.versions import KafkaVersion

_SUPPORTED: Mapping[tuple[str, ...], str] = {
    ("0.33.2",): "3.2.0 3.2.1 3.2.3 3.3.1 3.3.2 3.4.0",
    ("0.34.0", "0.35.1"): "3.3.1 3.3.2 3.4.0",
    ("0.36.1", "0.37.0"): "3.4.0 3.4.1 3.5.0 3.5.1",
    ("0.38.0",): "3.5.0 3.5.1 3.6.0",
    ("0.39.0",): "3.5.0 3.5.1 3.5.2 3.6.0 3.6.1",
    ("0.40.0",): "3.6.0 3.6.1 3.7.0",
    ("0.41.0",): "3.6.0 3.6.1 3.6.2 3.7.0",
    ("0.42.0",): "3.6.0 3.6.1 3.6.2 3.7.0 3.7.1",
    ("0.43.0", "0.44.0"): "3.7.0 3.7.1 3.8.0",
    ("0.45.0",): "3.8.0 3.8.1 3.9.0",
    ("0.45.1", "0.45.2"): "3.8.0 3.8.1 3.9.0 3.9.1",
    ("0.46.0", "0.46.1"): "3.9.0 4.0.0",
    ("0.47.0",): "3.9.0 3.9.1 4.0.0",
    ("0.48.0",): "4.0.0 4.1.0",
    ("0.49.0", "0.49.1", "0.50.0", "0.50.1"): "4.0.0 4.0.1 4.1.0 4.1.1",
    ("0.51.0",): "4.1.0 4.1.1 4.2.0",
    ("1.0.0", "1.0.1"): "4.1.0 4.1.1 4.1.2 4.2.0",
    ("1.1.0",): "4.2.0 4.2.1 4.3.0",
    ("1.2.0",): "4.2.0 4.2.1 4.3.0 4.3.1",
}
"""By operator release."""

SUPPORTED: Mapping[str, tuple[KafkaVersion, ...]] = {
    operator: tuple(KafkaVersion.parse(text) for text in releases.split())
    for operators, releases in _SUPPORTED.items()
    for operator in operators
}
