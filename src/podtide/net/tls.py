"""TLS contexts, one per distinct content however many servers use it. `net.access` asks for them, sockets use them."""

import base64
import binascii
import os
import re
import ssl
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from podtide.core.model.reading import Failure, Reason
from podtide.net import certnames, tlserrors

classify = tlserrors.classify
verify_names = certnames.verify

LARGEST_KEY = 4096
"""Bytes of a private key in PEM; RSA of 4096 bits has 3300. A signature is made in each handshake, in everybody's time,
and takes eight times as long for twice as many bits: 4 ms with 4096, 190 ms with 15,360."""
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END", re.DOTALL)

HTTP1 = ("http/1.1",)
HTTP2 = ("h2", "http/1.1")


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates, or a key with them, and where they were found."""

    origin: str = field(compare=False)
    """For messages: `tls.caSecretRef pod-ca, key ca.crt`."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Material:
    """All that makes one context differ from another. Equal materials share a context."""

    authorities: tuple[Pem, ...] = ()
    """Certificates to trust."""
    system_roots: bool = False
    """Trust the system's certificate authorities, too."""
    identity: Pem | None = None
    """Our certificate chain followed by its private key."""
    verify: bool = True
    accepted_names: tuple[str, ...] = ()
    """Names of which the certificate must have one; where there are none, it must have the name asked for."""
    alpn: tuple[str, ...] = HTTP1


class Context(ssl.SSLContext):
    """A context that checks explicit names itself and tells what certificate was refused.

    Sockets and objects made from it do so inside `do_handshake`, so whoever shakes hands needs to know nothing of it.
    """

    material = Material()

    def wants(self, certificate: certnames.Certificate) -> bool:
        """Whether the certificate has an accepted name; true where the name asked for is what counts."""
        accepted = self.material.accepted_names
        return not (self.material.verify and accepted) or certnames.verify(certificate, accepted)


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as error:
            raise tlserrors.CertificateRefused.told(error, _presented(self)) from None
        _check(self)


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise tlserrors.CertificateRefused.told(error, _presented(self)) from None
        _check(self)


Context.sslsocket_class = _Socket
Context.sslobject_class = _Object


def _check(secured: _Socket | _Object) -> None:
    context = secured.context
    if isinstance(context, Context) and context.material.accepted_names and context.material.verify:
        certificate = secured.getpeercert() or {}
        if not context.wants(certificate):
            raise tlserrors.CertificateRefused.misnamed(certificate, context.material.accepted_names)


def _presented(secured: _Socket | _Object) -> certnames.Certificate:
    """The certificate that was refused, or nothing where this Python cannot tell.

    `getpeercert` works only after a handshake that succeeded, and the public way to the chain (3.13) gives undecoded
    bytes; without the names in it a mismatch could not be explained, so the object below is asked, if it is there.
    """
    inner: Any = getattr(secured, "_sslobj", None)
    try:
        chain = inner.get_unverified_chain()
        info: certnames.Certificate = chain[0].get_info() if chain else {}
    except (AttributeError, ssl.SSLError):
        return {}
    return info


class Contexts:
    """Contexts by their content. One that nobody uses any more is forgotten."""

    __slots__ = ("_cache",)

    def __init__(self) -> None:
        self._cache: weakref.WeakValueDictionary[Material, Context] = weakref.WeakValueDictionary()

    def get(self, material: Material) -> Context | Failure:
        """The context of this content, or why it cannot be made: which certificate is unreadable, and how."""
        context = self._cache.get(material)
        if context is None:
            try:
                context = self._cache[material] = _build(material)
            except _Unreadable as error:
                return Failure(Reason.TLS, str(error))
        return context

    def has(self, material: Material) -> bool:
        """Whether the context of this content is there already."""
        return material in self._cache

    def __len__(self) -> int:
        return len(self._cache)


class _Unreadable(Exception):
    pass


def _build(material: Material) -> Context:
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.material = material
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(_ciphers(context)))
    context.set_alpn_protocols(list(material.alpn))
    # As Go does: an intermediate or a server's own certificate is trusted when somebody names it as trusted.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # As Go does, and RFC 9525 says.
    context.hostname_checks_common_name = False
    if not material.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif material.accepted_names:
        context.check_hostname = False
    if material.verify:
        if material.system_roots:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        for authority in material.authorities:
            _trust(context, authority)
    if material.identity is not None:
        _show(context, material.identity)
    return context


def _ciphers(context: Context) -> Iterator[str]:
    """The system's, without Diffie-Hellman in fields of the server's choice. Go has none either.

    A pod may choose a field in which one handshake takes 0.6 s of the time that everybody has.
    """
    return (cipher["name"] for cipher in context.get_ciphers() if cipher["kea"] != "kx-dhe")


def _trust(context: Context, authority: Pem) -> None:
    try:
        context.load_verify_locations(cadata=pem(authority.content).decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise _Unreadable(
            f"{authority.origin}: no certificate authority can be read from it ({_reason(error)}); it must hold one or "
            "more PEM blocks that begin with -----BEGIN CERTIFICATE-----"
        ) from error


def _show(context: Context, identity: Pem) -> None:
    if any(len(key) > LARGEST_KEY for key in _KEY.findall(identity.content)):
        raise _Unreadable(
            f"{identity.origin}: its private key is larger than {LARGEST_KEY} bytes, so that handshakes take long; "
            "use an elliptic curve, or RSA of at most 4096 bits"
        )
    try:
        with _as_file(identity.content) as path:
            context.load_cert_chain(path, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise _Unreadable(
            f"{identity.origin}: this is no client certificate with its key ({_reason(error)}); tls.crt must hold the "
            "certificate chain and tls.key its private key, unencrypted, both in PEM"
        ) from error


def pem(content: bytes) -> bytes:
    """The same in PEM. What is base64 over PEM, as `caBundle` is in Kubernetes' own objects, is unwrapped."""
    if b"-----BEGIN" in content:
        return content
    try:
        inner = base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return content
    return inner if b"-----BEGIN" in inner else content


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal for the password of an encrypted key.
    raise ValueError("the private key is encrypted")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error) or type(error).__name__


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path to read the content from, as `load_cert_chain` takes nothing else; in memory, where the system can."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with open(os.memfd_create("identity"), "wb", buffering=0) as file:
            file.write(content)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
