"""Makes a lab and brings it up: folders, releases, formatted brokers, the operator; the operator starts the brokers.

Every step is skipped when it is done already, so the same call makes a lab, starts a stopped one and mends a
half-dead one. It stops nothing: what was begun when it fails is ended by ``lab down``.
"""

from __future__ import annotations

import base64
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from controller.errors import LabError
from controller.lab.broker import certificate_file, format_broker, is_formatted
from controller.lab.certificates import OpenSsl, provide_broker_certificate, provide_credentials
from controller.lab.ports import LOOPBACK, choose_ports
from controller.lab.processes import Program, is_running, require_proc, start
from controller.lab.records import broker_folder, locked, operator_file, read_process
from controller.lab.releases import Release, ReleaseCache
from controller.lab.shape import Asked
from controller.lab.status import LabState, lab_status
from controller.labfiles import (
    BrokerPlace,
    ClusterFile,
    LabFile,
    OperatorState,
    cluster_folder,
    credentials_of,
    lab_file,
    read_cluster,
    read_clusters,
    read_lab,
    read_status,
    replace_file,
    write_wanted,
)

LOCK_WAIT_SECONDS = 10.0
READY_SECONDS = 90.0
READY_SECONDS_PER_BROKER = 15.0
"""As seen a cluster of three is ready within 10 seconds; many start at once on few cores."""
LOOK_SECONDS = 0.5

_UNFIT_FOR_PATHS = ',%$\\:;"\r\n\t'
"""Kafka takes ``log.dirs`` as a list, Java a class path as one, and their loggers replace ``%`` and ``$``."""


def lab_up(directory: Path, *, clusters: int, brokers: int, release: str, progress: Callable[[str], None]) -> LabState:
    """Bring up a lab of so many clusters alike; see ``bring_up``."""
    return bring_up(directory, Asked(clusters, brokers, release), progress)


def bring_up(directory: Path, asked: Asked, progress: Callable[[str], None]) -> LabState:
    """Bring up the lab in ``directory``, made first when it is not there, and return it when all is ready.

    The releases that are asked for are what new clusters begin with; an existing lab keeps its shape, each cluster its
    wanted release, and what is broken on purpose stays broken and is not waited for. ``progress`` is given one sentence
    a step. Raises LabError for what cannot be honoured, a missing Java, Maven or OpenSSL, a release that cannot be
    fetched, and a lab that is not ready in time (which then goes on starting).
    """
    new = asked.new_lab()
    require_proc()
    directory = _prepare_folder(directory)
    releases = ReleaseCache.of_user(os.environ)
    with locked(directory / "lab.lock", wait_seconds=LOCK_WAIT_SECONDS):
        lab = _provide_lab(directory, asked, new, releases, progress)
        before = lab_status(directory) if len(read_clusters(directory)) == len(lab.clusters) else None
        if before is not None and before.is_running:
            progress(f"the lab in {directory} is running already: nothing is started")
        else:
            _provide_clusters(directory, lab, releases, progress)
            _provide_operator(directory, progress)
        for cluster in lab_status(directory).clusters:
            wanted = asked.release_of(cluster.name)
            if wanted is not None and cluster.wanted != wanted:
                progress(f"{cluster.name} keeps its wanted release {cluster.wanted}: {wanted} is for new clusters only")
            if cluster.faults:
                progress(f"{cluster.name} is broken on purpose; `wavefleet lab mend {cluster.name}` ends that")
        return _wait_until_ready(directory, progress)


def _prepare_folder(directory: Path) -> Path:
    """The folder as an absolute path, made if it is missing; LabError when it is somebody else's."""
    directory = directory.resolve()
    unfit = [character for character in str(directory) if character in _UNFIT_FOR_PATHS]
    if unfit:
        raise LabError(f"{directory}: found {unfit[0]!r} in the path, expected none of {_UNFIT_FOR_PATHS!r}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        strangers = sorted(path.name for path in directory.iterdir() if not _is_ours(path))
    except OSError as error:
        raise LabError(f"{directory}: cannot be used as a lab's folder: {error.strerror}") from error
    if strangers and not lab_file(directory).exists():
        raise LabError(f"{directory}: found {strangers[0]} and no lab.json, expected an empty folder or a lab")
    return directory


def _is_ours(path: Path) -> bool:
    """The lock, and folders in which file systems may be mounted for brokers before the lab is made."""
    if path.name == "clusters" and path.is_dir():
        return not any(files for _, _, files in os.walk(path))
    return path.name == "lab.lock"


def _provide_lab(
    directory: Path, asked: Asked, new: LabFile, releases: ReleaseCache, progress: Callable[[str], None]
) -> LabFile:
    """The lab's shape; a new one is written down only when its releases are there, so that a typo is not kept."""
    if lab_file(directory).exists():
        lab = read_lab(directory)
        misfit = asked.misfit(lab)
        if misfit:
            raise LabError(f"{directory}: {misfit}; ask for what it has or leave it out, or use another folder")
        return lab
    if new.secure:
        OpenSsl.find(os.environ)
    for release in sorted({Release.parse(new.shape(name).release) for name in new.clusters}):
        releases.provide(release, progress=progress)
    replace_file(lab_file(directory), new)
    return new


def _provide_clusters(directory: Path, lab: LabFile, releases: ReleaseCache, progress: Callable[[str], None]) -> None:
    new = [name for name in lab.clusters if not _is_made(directory, name)]
    openssl = OpenSsl.find(os.environ) if lab.secure and new else None
    if openssl is not None:
        progress("making certificates and a password for clients")
        provide_credentials(credentials_of(directory), openssl)
    for name in new:
        folder = cluster_folder(directory, name)
        release = Release.parse(lab.shape(name).release)
        installation = releases.provide(release, progress=progress)
        cluster = read_cluster(folder) or _place_cluster(directory, name, lab)
        for place in cluster.brokers:
            if openssl is not None:
                certificate = certificate_file(broker_folder(folder, place.id))
                provide_broker_certificate(
                    certificate, credentials_of(directory), openssl, f"broker {place.id} of {name}"
                )
            if not is_formatted(folder, place.id):
                progress(f"formatting broker {place.id} of {name} for Apache Kafka {release}")
                format_broker(folder, cluster, place, installation)
        write_wanted(folder, release=str(release), expected_generation=0)


def _is_made(directory: Path, name: str) -> bool:
    """``wanted.json`` is a cluster's last file: the operator has nothing to do before it."""
    return (cluster_folder(directory, name) / "wanted.json").exists()


def draw_cluster_id() -> str:
    """Return an id as Kafka draws them: 16 bytes in URL-safe base64, never one that its tools take for an option."""
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not drawn.startswith("-"):
            return drawn


def _place_cluster(directory: Path, name: str, lab: LabFile) -> ClusterFile:
    brokers = lab.shape(name).brokers
    taken = frozenset(
        port
        for cluster in read_clusters(directory)
        for place in cluster.brokers
        for port in (place.port, place.controller_port, place.internal_port)
        if port is not None
    )
    each = 3 if lab.secure else 2
    ports = choose_ports(each * brokers, taken=taken)
    cluster = ClusterFile(
        name=name,
        cluster_id=draw_cluster_id(),
        brokers=tuple(BrokerPlace(at + 1, LOOPBACK, *ports[each * at : each * (at + 1)]) for at in range(brokers)),
        labels={"lab": directory.name},
        secure=lab.secure,
    )
    for place in cluster.brokers:
        broker_folder(cluster_folder(directory, name), place.id).mkdir(parents=True, exist_ok=True)
    replace_file(cluster_folder(directory, name) / "cluster.json", cluster)
    return cluster


def _provide_operator(directory: Path, progress: Callable[[str], None]) -> None:
    if is_running(read_process(operator_file(directory))):
        progress("the operator runs already; it starts what is missing")
        return
    for name in read_lab(directory).clusters:
        _withdraw_status(cluster_folder(directory, name))
    progress("starting the operator, which starts the brokers")
    argv = (sys.executable, "-m", "controller.lab.operator", "--directory", str(directory))
    program = Program(argv, directory, directory / "operator.out", {**os.environ, "PYTHONPATH": _python_path()})
    start(program, lambda process: replace_file(operator_file(directory), process))


def _withdraw_status(folder: Path) -> None:
    """A dead operator's ``ready`` must not be taken for the new one's; what it saw of metadata.version stays."""
    status = read_status(folder)
    if status is not None:
        replace_file(
            folder / "status.json",
            msgspec.structs.replace(status, state=OperatorState.ROLLING, message="the operator is being started"),
        )


def _python_path() -> str:
    """The operator works in the lab's folder, so it must be told where this package is, installed or not."""
    ours = str(Path(__file__).resolve().parents[2])
    theirs = os.environ.get("PYTHONPATH", "")
    return f"{ours}{os.pathsep}{theirs}" if theirs else ours


def _wait_until_ready(directory: Path, progress: Callable[[str], None]) -> LabState:
    state = lab_status(directory)
    brokers = sum(len(cluster.brokers) for cluster in state.clusters)
    limit = time.monotonic() + READY_SECONDS + READY_SECONDS_PER_BROKER * brokers
    told: set[str] = set()
    while not all(cluster.is_ready or cluster.is_refused or cluster.faults for cluster in state.clusters):
        for cluster in state.clusters:
            if cluster.is_ready and cluster.name not in told:
                told.add(cluster.name)
                progress(f"{cluster.name} is ready at {cluster.bootstrap}")
        if state.operator_pid is None:
            raise LabError(f"{directory}: the operator ended: look at operator.log and operator.out there")
        if time.monotonic() > limit:
            late = "; ".join(f"{it.name}: {it.message or 'no word yet'}" for it in state.clusters if not it.is_ready)
            raise LabError(f"{directory}: not ready in time: {late}; it goes on, `wavefleet lab down` ends it")
        time.sleep(LOOK_SECONDS)
        state = lab_status(directory)
    return state
