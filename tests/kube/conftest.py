"""Clients of a real API server, straight and through a proxy that lets things go wrong."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

Client = Callable[..., KubeApi]


@pytest.fixture
def client(kubernetes: ApiServer) -> Iterator[Client]:
    """Makes clients for a user of the server: everything is allowed to ``admin``, nothing to ``reader``."""
    made: list[KubeApi] = []

    def make(user: str = "admin", limit_seconds: float = 10.0) -> KubeApi:
        api = KubeApi(partial(connect, Where("fleet", kubernetes.kubeconfig(user))), "context fleet", limit_seconds)
        made.append(api)
        return api

    yield make
    for api in made:
        api.close()


@pytest.fixture
def behind(proxy: FaultProxy) -> Iterator[Client]:
    """Makes clients that come through the proxy, with a time limit."""
    made: list[KubeApi] = []

    def make(limit_seconds: float = 10.0) -> KubeApi:
        api = KubeApi(partial(connect, Where("fleet", proxy.kubeconfig())), "context fleet", limit_seconds)
        made.append(api)
        return api

    yield make
    for api in made:
        api.close()
