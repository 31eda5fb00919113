"""Which moves between releases are legal for a cluster, by the release catalog.

Both numbers count: the release that runs, and the finalized metadata.version. A 4.x broker does not start below
the metadata floor, and none starts below what is finalized (kafka.apache.org, upgrade pages; MetadataVersion.java).
"""

from controller.model.catalog import Catalog, Release
from controller.model.observation import Reading
from controller.model.versions import KafkaVersion, Minor

OLD_CLIENTS_RISK = "KIP-896"
"""4.x brokers refuse clients older than 2.1, and the brokers cannot tell us whether there are any."""


def illegal_hop(reading: Reading, target: KafkaVersion, catalog: Catalog) -> str | None:
    """Return why ``reading``'s cluster may not go to ``target`` directly, or None where it may."""
    release = catalog.releases.get(target)
    if release is None:
        return f"{target} is not in the release catalog; add it to releases.yaml"
    if reading.release >= target:
        return f"it runs {reading.release}, and going down to {target} is not yet supported"
    if reading.zookeeper and not release.zookeeper:
        return (
            f"it runs on ZooKeeper and {target} is KRaft only: a person must migrate it to KRaft on 3.9, "
            "there is no other way"
        )
    return _illegal_line(reading, release) or _illegal_metadata(reading, release, catalog)


def _illegal_line(reading: Reading, release: Release) -> str | None:
    lines = release.zookeeper_from if reading.zookeeper else release.kraft_from
    if reading.release.line == release.version.line:
        return None
    if lines is None:
        return f"no release reaches {release.version} directly in its mode"
    lowest, highest = lines
    if lowest <= reading.release.line <= highest:
        return None
    return (
        f"it runs {reading.release}, and {release.version} is reached directly only from "
        f"{_line(lowest)} to {_line(highest)}; go there through a release between"
    )


def _illegal_metadata(reading: Reading, release: Release, catalog: Catalog) -> str | None:
    target, served, floor = release.version, release.metadata_version, catalog.metadata_floor_for_4x
    if reading.metadata_version is not None and served is not None and reading.metadata_version > served:
        return f"its metadata.version is {reading.metadata_version}, and {target} serves at most {served}"
    if target.major < 4 or reading.zookeeper:
        return None
    if reading.metadata_version is None:
        return f"its metadata.version could not be read, and {target} needs at least {floor}"
    if reading.metadata_version < floor:
        return (
            f"its metadata.version is {reading.metadata_version}, and {target} needs at least {floor} finalized first"
        )
    return None


def crosses_to_4x(reading: Reading, target: KafkaVersion) -> bool:
    """Tell whether this hop cuts old clients off (KIP-896)."""
    return reading.release.major < 4 <= target.major


def _line(line: Minor) -> str:
    return f"{line[0]}.{line[1]}"
