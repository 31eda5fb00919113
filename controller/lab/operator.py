"""The lab's operator as a process: ``python -m controller.lab.operator --directory DIR``.

It keeps every cluster of one lab, each in a thread of its own so that a slow one does not hold up the rest, and is to
the lab what Strimzi is to Kubernetes: it takes a wanted release and a wanted level from a file, rolls brokers, and
finalizes metadata.version. Brokers are no children to it: they live on when it ends or is killed, and the next operator
finds them by their records. One per lab.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from controller.errors import LabError
from controller.lab.keeper import ClusterKeeper, Surroundings
from controller.lab.records import take_lock
from controller.lab.releases import ReleaseCache
from controller.lab.toolchain import Stopped
from controller.labfiles import ClusterFile, cluster_folder, lab_file, read_clusters
from controller.signals import on_leave

LOOK_SECONDS = 0.5
"""Between two looks at a cluster at rest."""
ROLL_LOOK_SECONDS = 0.2
"""Between two looks at one that is not: a roll waits for several of them at each broker."""
TROUBLE_SECONDS = 5.0
"""Before the next look after one that failed."""
CLUSTERS_SECONDS = 1.0
"""Between two looks for new clusters."""
LEAVE_SECONDS_MAX = 10.0
"""How long the threads together may take to end at SIGTERM; a roll in the middle is continued by the next operator."""
LOCK_WAIT_SECONDS = 2.0
"""A killed operator's lock is free at once; one that is leaving needs a moment."""
LOG_BYTES_MAX = 1024 * 1024

_LOG = logging.getLogger("wavefleet.lab.operator")


def main(argv: Sequence[str] | None = None) -> int:
    """Keep the lab until SIGTERM; 1 when another operator already does."""
    parser = argparse.ArgumentParser(prog="python -m controller.lab.operator", description="Roll a lab's brokers.")
    parser.add_argument("--directory", type=Path, required=True, help="the lab's folder")
    directory: Path = parser.parse_args(argv).directory.resolve()
    lock = take_lock(directory / "operator.lock", wait_seconds=LOCK_WAIT_SECONDS)
    if lock is None:
        sys.stderr.write(f"{directory}: another operator keeps this lab\n")
        return 1
    _log_to(directory / "operator.log")
    stop = threading.Event()
    on_leave(stop.set)
    _keep_all(directory, stop)
    return 0  # the lock is held until the very end of the process


def _keep_all(directory: Path, stop: threading.Event) -> None:
    threads: dict[str, threading.Thread] = {}
    _LOG.info("keeping %s", directory)
    while not stop.is_set():
        if not lab_file(directory).is_file():
            _LOG.warning("lab.json is gone: leaving")
            stop.set()
        for cluster in _clusters(directory):
            if cluster.name not in threads:
                arguments = (cluster_folder(directory, cluster.name), cluster, stop)
                threads[cluster.name] = threading.Thread(target=_keep, args=arguments, daemon=True)
                threads[cluster.name].start()
        stop.wait(CLUSTERS_SECONDS)
    limit = time.monotonic() + LEAVE_SECONDS_MAX
    for thread in threads.values():
        thread.join(max(0.0, limit - time.monotonic()))
    _LOG.info("leaving; the brokers go on")


def _clusters(directory: Path) -> tuple[ClusterFile, ...]:
    try:
        return read_clusters(directory)
    except LabError:
        _LOG.exception("the lab's files cannot be read")
        return ()


def _keep(cluster_dir: Path, cluster: ClusterFile, stop: threading.Event) -> None:
    surroundings = Surroundings(ReleaseCache.of_user(os.environ), now=_now, stop=stop.is_set)
    keeper: ClusterKeeper | None = None
    while not stop.is_set():
        try:
            keeper = keeper or ClusterKeeper(cluster_dir, cluster, surroundings)
            keeper.look()
            pause = LOOK_SECONDS if keeper.is_at_rest else ROLL_LOOK_SECONDS
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 - one cluster's trouble, even a bug, must not end the keeping of it
            pause = TROUBLE_SECONDS
            _say(keeper, cluster.name, error)
        stop.wait(pause)


def _say(keeper: ClusterKeeper | None, name: str, error: Exception) -> None:
    if isinstance(error, LabError):
        _LOG.warning("%s: %s", name, error)
    else:
        _LOG.error("%s: a bug in the operator", name, exc_info=error)
    try:
        if keeper is not None:
            keeper.say_trouble(str(error))
    except LabError as trouble:
        _LOG.warning("%s: the status cannot be written: %s", name, trouble)


def _log_to(path: Path) -> None:
    file = RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, handlers=[file], format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # brokers that come and go are no news here


def _now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - a process of its own has its own clock, read here alone


if __name__ == "__main__":
    sys.exit(main())
