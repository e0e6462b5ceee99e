"""TLS trouble as a named failure that says which remedy applies. `net.tls.classify` is this module's `classify`."""

import ssl
from collections.abc import Collection
from typing import Self

from podtide.core.model.reading import Failure, Reason
from podtide.net import certnames, page

_EXPIRED, _NOT_YET = 10, 9
_NAMES = frozenset({62, 64})
_ISSUER = frozenset({2, 7, 18, 19, 20, 21, 27})
"""OpenSSL's X509_V_ERR_*: issuer unknown, a signature by another key of the same name, self-signed, not trusted."""

GIVE_CA = "give the authority that signed it (`tls.caBundle`, `tls.caSecretRef`, `tls.caConfigMapRef`, or the \
controller's `--tls-ca-file`)"
SKIP = "or set `tls.insecureSkipVerify: true` if the network is trusted"

_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG"})
_NO_CLIENT_CERT = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"})
_BAD_CLIENT_CERT = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_DECRYPT_ERROR",
    }
)
_UNKNOWN_NAME = frozenset({"TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"})
_TOO_OLD = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_PROTOCOL_VERSION"})


class CertificateRefused(ssl.SSLCertVerificationError):
    """A certificate that we refused, and what stands in it."""

    certificate: certnames.Certificate
    """Empty where it is not known."""
    accepted: tuple[str, ...] = ()
    """The explicit names, if it is these that the certificate lacks."""
    verify_code: int
    verify_message: str

    @classmethod
    def told(cls, error: ssl.SSLCertVerificationError, certificate: certnames.Certificate) -> Self:
        """OpenSSL's own refusal, with the certificate."""
        return cls._of(error.verify_code, error.verify_message, certificate)

    @classmethod
    def misnamed(cls, certificate: certnames.Certificate, accepted: Collection[str]) -> Self:
        """A certificate without any of the accepted names."""
        refused = cls._of(62, "it has none of the accepted names", certificate)
        refused.accepted = tuple(accepted)
        return refused

    @classmethod
    def _of(cls, code: int, message: str, certificate: certnames.Certificate) -> Self:
        refused = cls(1, f"certificate verify failed: {message}")
        refused.verify_code, refused.verify_message, refused.certificate = code, message, certificate
        refused.reason, refused.library = "CERTIFICATE_VERIFY_FAILED", "SSL"
        return refused


def classify(error: ssl.SSLError, ask: page.Ask) -> Failure:
    """What a TLS error in an exchange with this server means, and what to change."""
    where = f"{ask.host}:{ask.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused(error, ask, where)
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Failure(
            Reason.RESET,
            f"{where}: the server closed the TLS connection before its answer was whole; if it always does, it may "
            "want a client certificate (`tls.clientCertSecretRef`) or another name (`tls.serverName`)",
        )
    known = _answered(error.reason or "", where)
    return known or Failure(Reason.TLS, f"{where}: the TLS connection failed ({_said(error.reason or str(error))})")


def _refused(error: ssl.SSLCertVerificationError, ask: page.Ask, where: str) -> Failure:
    certificate = error.certificate if isinstance(error, CertificateRefused) else {}
    code, message = error.verify_code, error.verify_message.rstrip(".")
    if code in _NAMES:
        return _misnamed(error, ask, where)
    if code in (_EXPIRED, _NOT_YET):
        at = certificate.get("notAfter" if code == _EXPIRED else "notBefore")
        said = "has expired" if code == _EXPIRED else "is not valid yet"
        when = f" ({'since' if code == _EXPIRED else 'before'} {at})" if at else ""
        fix = "renew it on the server" if code == _EXPIRED else "compare the clocks of this machine and the server's"
        return Failure(Reason.TLS_EXPIRED, f"{where}: a certificate {said}{when}: {fix}, {SKIP}")
    issuer = certnames.describe(certificate, "issuer")
    by = f", issued by {issuer!r}," if issuer else ""
    if code in _ISSUER:
        return Failure(
            Reason.TLS_UNTRUSTED, f"{where}: the certificate{by} is not trusted ({message}): {GIVE_CA}, {SKIP}"
        )
    return Failure(Reason.TLS, f"{where}: the certificate{by} was refused: {message}")


def _misnamed(error: ssl.SSLCertVerificationError, ask: page.Ask, where: str) -> Failure:
    refused = error if isinstance(error, CertificateRefused) else None
    there = certnames.names(refused.certificate) if refused else ()
    names = f"is for {', '.join(there)}" if there else "is for other names"
    if refused and refused.accepted:
        wanted, fix = " or ".join(refused.accepted), "correct `tls.subjectAltNames`"
    else:
        wanted, fix = ask.server_name or ask.host, "set `tls.serverName` to one of its names"
    if refused and refused.certificate and not there:
        names = f"({certnames.describe(refused.certificate, 'subject')}) has no subject alternative name"
        fix = "issue one that has, as the common name does not count"
    return Failure(Reason.TLS_NAME, f"{where}: the certificate {names}, not for {wanted}: {fix}, {SKIP}")


def _answered(reason: str, where: str) -> Failure | None:
    """What the server, or what is no TLS server, had to say to our handshake."""
    if reason in _PLAIN:
        return Failure(Reason.TLS, f"{where}: the server speaks plain HTTP on this port: set `protocolType: http`")
    if reason in _NO_CLIENT_CERT:
        return Failure(
            Reason.TLS_CLIENT, f"{where}: the server wants a client certificate: set `tls.clientCertSecretRef`"
        )
    if reason in _BAD_CLIENT_CERT:
        return Failure(
            Reason.TLS_CLIENT,
            f"{where}: the server refuses our client certificate ({_said(reason)}): check that the one in "
            "`tls.clientCertSecretRef` is current and signed by an authority that the server trusts",
        )
    if reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        return Failure(
            Reason.TLS_CLIENT,
            f"{where}: the server broke off the handshake; it wants a client certificate "
            "(`tls.clientCertSecretRef`), or has no cipher in common with us",
        )
    if reason in _UNKNOWN_NAME:
        return Failure(
            Reason.TLS_NAME, f"{where}: the server does not know the name it is called by: set `tls.serverName`"
        )
    if reason in _TOO_OLD:
        return Failure(Reason.TLS, f"{where}: the server offers no TLS version from 1.2 on")
    return None


def _said(reason: str) -> str:
    return reason.replace("_", " ").lower()
