"""A real Prometheus, Debian's: a process on loopback that scrapes itself and evaluates rules once a second.

Its first samples come seconds after its start, so whoever asks for them waits for the query to show a series. It can be
stopped as a hung server is (SIGSTOP), which keeps its connections open and answers nothing.
"""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.real.frozen import freeze
from tests.real.ssh_server import free_port
from tests.real_parts import require

_CALL_SECONDS_MAX = 10
_START_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 20
_POLL_SECONDS = 0.05

_CONFIGURATION = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
_RULES = [
    {"record": "produce:latency:p99", "expr": "vector(0.12)", "labels": {"cluster": "orders"}},
    {"record": "produce:errors:ratio", "expr": "vector(0) / vector(0)", "labels": {"cluster": "quiet"}},
    {"record": "brokers:up", "expr": "vector(3)", "labels": {"cluster": "orders"}},
    {"record": "brokers:up", "expr": "vector(5)", "labels": {"cluster": "bulk"}},
]
"""What the clusters of a fleet would be asked about: a latency, a ratio without traffic, two series of one name."""


class Prometheus:
    """``with Prometheus(folder) as server``: running and ready; its rules have been evaluated."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("prometheus")
        require(program is not None, "found no prometheus; install Debian's package prometheus")
        assert program is not None
        self._program = program
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        self._write_configuration()
        with (self._folder / "prometheus.log").open("ab") as log:
            command = [
                self._program,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        try:
            self.await_series("up", "brokers:up")
        except TimeoutError:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._http.close()

    def await_series(self, *queries: str) -> None:
        """Wait until each query shows a series."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not all(self._has_series(query) for query in queries):
            if time.monotonic() > deadline or self._require_process().poll() is not None:
                log = (self._folder / "prometheus.log").read_text(errors="replace")[-2000:]
                raise TimeoutError(f"Prometheus shows no series for {queries}:\n{log}")
            time.sleep(_POLL_SECONDS)

    def freeze(self) -> None:
        """Answer nothing from now on, and keep every connection open."""
        freeze(self._require_process())

    def thaw(self) -> None:
        """Go on."""
        self._require_process().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it; the port is free again."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _has_series(self, query: str) -> bool:
        try:
            answer = self._http.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=_CALL_SECONDS_MAX)
        except requests.RequestException:
            return False
        content: dict[str, Any] = answer.json() if answer.ok else {}
        return bool(content.get("data", {}).get("result"))

    def _write_configuration(self) -> None:
        # JSON is YAML, and needs no care with quotes.
        self._folder.mkdir(parents=True, exist_ok=True)
        scrape = {"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]}
        configuration = {"global": _CONFIGURATION, "scrape_configs": [scrape], "rule_files": ["rules.yml"]}
        (self._folder / "prometheus.yml").write_text(json.dumps(configuration))
        (self._folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "fleet", "rules": _RULES}]}))

    def _require_process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it is not running"
        return self._process
