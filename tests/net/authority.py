"""Certificates made for one test, down to expired ones and `spiffe://` names, which trustme does not make."""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Leaf:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def server(self, directory: Path, *, clients: bytes | None = None) -> ssl.SSLContext:
        """A server's context; with `clients` it wants certificates of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = directory / f"{abs(hash(self.certificate))}.pem"
        path.write_bytes(self.certificate + self.key)
        context.load_cert_chain(path)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients.decode())
        return context


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "Podtide test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(FAR_AWAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        *names: str,
        after: datetime = LONG_AGO,
        before: datetime = FAR_AWAY,
        common_name: str = "somebody",
    ) -> Leaf:
        """A certificate for these DNS names, addresses and URIs, valid after and before these times."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(after)
            .not_valid_after(before)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(general(names)), critical=False)
        return Leaf(
            builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def expired(self, *names: str) -> Leaf:
        """A certificate whose time is over."""
        return self.issue(*names, before=LONG_AGO + timedelta(days=90))

    def early(self, *names: str) -> Leaf:
        """A certificate whose time has not come."""
        return self.issue(*names, after=FAR_AWAY - timedelta(days=90))


def general(names: Sequence[str]) -> list[x509.GeneralName]:
    """Names as a certificate holds them."""
    found: list[x509.GeneralName] = []
    for name in names:
        if "://" in name:
            found.append(x509.UniformResourceIdentifier(name))
            continue
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
