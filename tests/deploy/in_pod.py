"""``python -m tests.deploy.in_pod FOLDER ARGUMENTS``: ``wavefleet ARGUMENTS`` as a pod's process.

The Kubernetes client looks for the token and the certificate of a pod at two fixed paths, which only pods have. This
process lets it look in FOLDER, and is otherwise the program.
"""

import sys
from pathlib import Path

from kubernetes.config import incluster_config

from controller.cli.main import main

folder = Path(sys.argv.pop(1))
files = {"SERVICE_TOKEN_FILENAME": str(folder / "token"), "SERVICE_CERT_FILENAME": str(folder / "ca.crt")}
assert files.keys() <= vars(incluster_config).keys()
vars(incluster_config).update(files)
main()
