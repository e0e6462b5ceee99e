"""How a source is asked over HTTP: TLS, credentials, addresses. `sources` calls this."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from podtide.api import defaults
from podtide.api.errors import MISSING, Findings
from podtide.core.model import spec

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PEM = "-----BEGIN CERTIFICATE-----"
_AUTHORITIES = ("caBundle", "caSecretRef", "caConfigMapRef")
_SENDERS = ("serviceAccountToken", "bearerTokenSecretRef", "basicAuthSecretRef")
_TLS_PORTS = frozenset({"443", "10250"})
"""Ports that speak nothing but TLS: the web's, and the kubelet's (metrics-server's too)."""

Scheme = Literal["http", "https"]


def read(entry: Mapping[str, Any], scheme: Scheme | None, path: str, findings: Findings) -> spec.Http:
    """The `Http` of one metrics source; a scheme of None is left to each pod."""
    tls = entry.get("tls", {})
    if tls and scheme == "http":
        findings.warn(f"{path}.tls", MISSING, 'has no effect over http; write protocolType: "https"')
    if scheme == "http" and entry.get("port") in _TLS_PORTS:
        findings.warn(f"{path}.port", entry["port"], 'speaks TLS only; write protocolType: "https"')
    auth = entry.get("auth", {})
    if auth and scheme == "http" and not set(auth) <= {"headerSecretRef"}:
        findings.warn(f"{path}.auth", MISSING, 'travels unencrypted over http; write protocolType: "https"')
    host = entry.get("hostHeader")
    if host is not None and not _is_printable(host):
        findings.problem(f"{path}.hostHeader", host, "is not a host; write for example web.shop.svc")
    timeout = entry.get("timeoutSeconds")
    return spec.Http(
        scheme=scheme,
        tls=_tls(tls, f"{path}.tls", findings),
        auth=_auth(auth, f"{path}.auth", findings),
        host_header=host,
        http2=entry.get("http2", False),
        timeout=None if timeout is None else float(timeout),
    )


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _tls(entry: Mapping[str, Any], path: str, findings: Findings) -> spec.Tls:
    given = [name for name in _AUTHORITIES if name in entry]
    if len(given) > 1:
        findings.problem(path, MISSING, f"has both {given[0]} and {given[1]}; keep one, with all certificates in it")
    if given and entry.get("insecureSkipVerify"):
        findings.warn(f"{path}.{given[0]}", MISSING, "is not used, as insecureSkipVerify is true; remove one of them")
    name = entry.get("serverName")
    if name is not None and not _is_printable(name):
        findings.problem(f"{path}.serverName", name, "is not a name; write for example metrics-server.kube-system.svc")
    return spec.Tls(
        insecure_skip_verify=entry.get("insecureSkipVerify"),
        ca_bundle=_bundle(entry.get("caBundle"), f"{path}.caBundle", findings),
        ca_secret=_key_ref(entry.get("caSecretRef"), defaults.CA_KEY),
        ca_config_map=_key_ref(entry.get("caConfigMapRef"), defaults.CA_KEY),
        server_name=name,
        subject_alt_names=tuple(name for name in entry.get("subjectAltNames", ()) if name is not MISSING),
        client_cert_secret=entry.get("clientCertSecretRef", {}).get("name"),
    )


def _bundle(text: str | None, path: str, findings: Findings) -> str | None:
    """PEM, also where it was written in base64 as webhooks' `caBundle` is."""
    if text is None:
        return None
    if _PEM not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            text = ""
    if _PEM not in text:
        findings.problem(path, MISSING, f"holds no certificate; write PEM, which begins with {_PEM}, or base64 of it")
        return None
    return text


def _key_ref(entry: Mapping[str, Any] | None, key: str) -> spec.KeyRef | None:
    if entry is None or "name" not in entry:
        return None
    return spec.KeyRef(entry["name"], entry.get("key", key))


def _auth(entry: Mapping[str, Any], path: str, findings: Findings) -> spec.Auth:
    given = [name for name in _SENDERS if entry.get(name)]
    if len(given) > 1:
        findings.problem(path, MISSING, f"has both {given[0]} and {given[1]}, and both set Authorization; keep one")
    header = entry.get("headerSecretRef", {})
    headers: tuple[tuple[str, spec.KeyRef], ...] = ()
    reference = _key_ref(header, defaults.HEADER_KEY)
    if reference is not None and "header" in header:
        headers = ((header["header"], reference),)
        if not _HEADER.fullmatch(header["header"]):
            findings.problem(f"{path}.headerSecretRef.header", header["header"], "is not the name of an HTTP header")
    return spec.Auth(
        service_account_token=entry.get("serviceAccountToken", False),
        bearer_token=_key_ref(entry.get("bearerTokenSecretRef"), defaults.BEARER_KEY),
        basic_auth_secret=entry.get("basicAuthSecretRef", {}).get("name"),
        headers=headers,
    )


def path_of(text: str | None, where: str, findings: Findings) -> str | None:
    """A page's path with its leading slash, or None where there is none."""
    if not text:
        return None
    if "://" in text or not _is_printable(text) or "#" in text:
        findings.problem(where, text, 'is not a path; write for example "/metrics"')
        return None
    return text if text.startswith("/") else f"/{text}"


def base_url(entry: Mapping[str, Any], path: str, findings: Findings) -> tuple[Scheme, str] | None:
    """Scheme and URL, without a path of its own, of an `endpoint` with or without `http://` before it."""
    text = entry["endpoint"]
    scheme = entry.get("protocolType")
    where = f"{path}.endpoint"
    try:
        url = urlsplit(text if "://" in text else f"{scheme or 'http'}://{text}")
        valid = url.scheme in {"http", "https"} and url.hostname and _is_printable(text) and url.port != 0
    except ValueError:
        url, valid = urlsplit(""), False
    if not valid or url.fragment or url.query:
        findings.problem(where, text, 'is not a host and port; write for example "optimizer.aibrix-system.svc:8080"')
        return None
    if "@" in url.netloc:
        findings.problem(where, MISSING, "carries a password; put it into a Secret and name that in auth")
        return None
    if scheme is not None and url.scheme != scheme:
        findings.problem(where, text, f'contradicts protocolType "{scheme}"; leave one of them out')
        return None
    return ("https" if url.scheme == "https" else "http"), f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"
