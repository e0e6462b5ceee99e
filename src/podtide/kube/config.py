"""Where the API server is and who we are: a kubeconfig, or the pod's own service account. Called by `control.app`."""

import os
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import yaml
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from podtide.kube import errors

Configuration = Any
"""kubernetes.aio's own; opaque outside this room."""

REFRESH = 60.0
"""Seconds after which a kubeconfig's token is read again; the kubelet rotates projected tokens every hour or so."""


async def load(kubeconfig: str | None = None, context: str | None = None) -> Configuration:
    """The configuration from `kubeconfig`, else from the cluster we run in, else from $KUBECONFIG or ~/.kube/config.

    Raises:
        ConfigError: with what was tried and what to give.
    """
    configuration = kubernetes_client.Configuration()
    if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return _in_cluster(configuration)
    path = kubeconfig or os.environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")
    if not _any_file(path):
        raise errors.ConfigError(
            f"no kubeconfig at {path!r} and not in a cluster; give --kubeconfig FILE, set KUBECONFIG, "
            "or run in a pod with a service account"
        )
    await _read(path, context, configuration)
    _check_certificates(path, configuration)
    configuration.refresh_api_key_hook = _refresher(path, context)
    return configuration


def _any_file(path: str) -> bool:
    return any(os.path.isfile(os.path.expanduser(part)) for part in path.split(os.pathsep))


async def _read(path: str, context: str | None, configuration: Configuration) -> None:
    try:
        await kubernetes_config.load_kube_config(
            config_file=path, context=context, client_configuration=configuration, persist_config=False
        )
    except (kubernetes_config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        raise errors.ConfigError(f"kubeconfig {path!r}: {error}") from error
    except (TypeError, AttributeError) as error:
        # The loader trusts the file's shape: what is not of it shows as whatever Python makes of that.
        raise errors.ConfigError(f"kubeconfig {path!r} is empty, or has another form than kubectl writes") from error


def _check_certificates(path: str, configuration: Configuration) -> None:
    """Read what TLS will need, here where it can be said whose it is."""
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    except (ssl.SSLError, OSError) as error:
        raise errors.ConfigError(f"kubeconfig {path!r}: its certificate authority is not usable: {error}") from error
    if configuration.cert_file:
        try:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        except (ssl.SSLError, OSError) as error:
            raise errors.ConfigError(f"kubeconfig {path!r}: its client certificate is not usable: {error}") from error


def _in_cluster(configuration: Configuration) -> Configuration:
    try:
        # It re-reads the rotating token file by itself, once a minute.
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    except kubernetes_config.ConfigException as error:
        raise errors.ConfigError(
            f"in a cluster, but its service account is not usable: {error}; "
            "mount a token (automountServiceAccountToken: true) or give --kubeconfig FILE"
        ) from error
    return configuration


def _refresher(path: str, context: str | None) -> Callable[[Configuration], Awaitable[None]]:
    """A hook, called before each request that carries a token, that reads token files and exec plugins anew."""
    read_at = time.monotonic()

    async def refresh(configuration: Configuration) -> None:
        nonlocal read_at
        if time.monotonic() < read_at + REFRESH:
            return
        read_at = time.monotonic()
        fresh = kubernetes_client.Configuration()
        await _read(path, context, fresh)
        configuration.api_key = fresh.api_key

    return refresh
