"""The manifests on a real API server, as an administrator applies them; nothing runs there."""

import pytest

from tests.deploy.manifests import BASE
from tests.real.kubernetes import ApiServer


@pytest.fixture(scope="session")
def deployed(kubernetes: ApiServer) -> ApiServer:
    """The server once ``deploy/base`` is applied; what else is there already does not matter."""
    kubernetes.kubectl("apply", "--kustomize", BASE)
    return kubernetes
