"""The names in a certificate: which there are, and whether one of them is accepted. `net.tls` calls this."""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from typing import Any

Certificate = Mapping[str, Any]
"""A certificate as `ssl.SSLSocket.getpeercert` gives it."""


def names(certificate: Certificate) -> tuple[str, ...]:
    """Every DNS name, IP address and URI a certificate is for, its subject alternative names."""
    return tuple(value.strip() for _, value in _alternatives(certificate))


def verify(certificate: Certificate, accepted: Collection[str]) -> bool:
    """Whether one of the accepted names is in the certificate.

    URIs (`spiffe://…`) and addresses must be equal; of a DNS name the certificate's leftmost label may be `*`. The
    common name does not count (RFC 9525).
    """
    return any(_matches(kind, value, name) for kind, value in _alternatives(certificate) for name in accepted)


def describe(certificate: Certificate, which: str) -> str:
    """The `subject` or `issuer` in one line: `CN=pod-ca, O=Example`."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}
    return ", ".join(f"{short.get(field, field)}={value}" for field, value in _parts(certificate, which))


def _alternatives(certificate: Certificate) -> Iterator[tuple[str, str]]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "IP Address", "URI"):
            yield kind, value


def _parts(certificate: Certificate, which: str) -> Iterator[tuple[str, str]]:
    for relative in certificate.get(which, ()):
        yield from relative


def _matches(kind: str, value: str, name: str) -> bool:
    if kind == "URI":
        return value == name
    if kind == "IP Address":
        return _address(value) is not None and _address(value) == _address(name)
    pattern, wanted = value.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        label, dot, rest = wanted.partition(".")
        return bool(label and dot) and rest == pattern[2:] and "." in rest
    return pattern == wanted


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None
