"""Finds an API server, and who we are there: a context of a kubeconfig file, or the cluster that we run in.

Files and helpers that a kubeconfig names (certificates, token files, login programs) are the client's to read. Nothing
of a credential is ever in a sentence.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException

from controller.errors import ObservationError

ACCOUNT_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
CONNECTIONS_MAX = 32
"""Connections to one server that are kept for the next call."""

_WRONG_PROXY = (ImportError, urllib3.exceptions.LocationParseError, urllib3.exceptions.ProxySchemeUnknown)


@dataclass(frozen=True, slots=True)
class Where:
    """Which API server is meant."""

    context: str | None = None
    """Name of a context; without one that which the file calls its current one."""
    kubeconfig: Path | None = None
    """The file; without one that of ``KUBECONFIG``, else the one in the home directory."""

    @property
    def is_own_cluster(self) -> bool:
        """True where neither is named: the cluster that this process runs in."""
        return self.context is None and self.kubeconfig is None

    def __str__(self) -> str:
        if self.is_own_cluster:
            return "the cluster that we run in"
        name = "the current context" if self.context is None else f"context {self.context}"
        return name if self.kubeconfig is None else f"{name} of {self.kubeconfig}"


def connect(where: Where) -> ApiClient:
    """Return a client that knows the server and our credentials; nothing is asked yet. Raises ObservationError."""
    settings = Configuration()
    try:
        if where.is_own_cluster:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=None if where.kubeconfig is None else os.fspath(where.kubeconfig),
                context=where.context,
                client_configuration=settings,
                persist_config=False,
            )
            # It would run a login program at every call from five minutes before its token ends; whoever calls logs in
            # anew when the server says so.
            settings.refresh_api_key_hook = None
        settings.retries = False  # a cycle comes again; a write must never be sent twice
        settings.connection_pool_maxsize = CONNECTIONS_MAX
        return ApiClient(settings)
    except Exception as error:  # noqa: BLE001 - providers of identities raise what they like, from several libraries
        raise ObservationError(f"{where}: {_why(error)}") from None


def _why(error: Exception) -> str:
    """Say what is wrong with the file; a parser's sentence may quote it, and so its secrets."""
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        return f"the kubeconfig file is no YAML{'' if mark is None else f' (line {mark.line + 1})'}"
    if isinstance(error, ConfigException):
        said = str(error).partition("{")[0]  # it may quote all that the file says of a user, behind a brace
        return f"{said}; check the kubeconfig file, or the service account of the pod"
    if isinstance(error, OSError) and error.strerror:  # those of an HTTP client have none, and quote addresses
        return error.strerror
    if isinstance(error, _WRONG_PROXY):
        return "the address of the proxy cannot be used; name one that begins with http:// or https://"
    if isinstance(error, ValueError | LookupError | TypeError | AttributeError):
        return f"the kubeconfig file cannot be understood ({type(error).__name__})"
    return f"logging in failed ({type(error).__name__}); check the identity provider that the kubeconfig names"
