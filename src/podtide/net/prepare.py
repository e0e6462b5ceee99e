"""From a source's `tls` and `auth` and the controller's own defaults to a TLS context and headers. For `net.access`."""

import asyncio
import ssl
from dataclasses import dataclass, field

from podtide.core.model import peers
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Http, KeyRef
from podtide.net import auth, files, tls

LARGEST_BUNDLE = 256 * 1024
"""Bytes of authorities that a source may name. The system's own are 220 KiB, and one MiB takes 0.3 s to read."""
_UNNOTICED = 32 * 1024
"""Bytes of authorities that cost no more than a decision."""
_PER_SECOND = 1024 * 1024
"""Bytes of larger ones that are read in a second, for everybody together: a third of a core at most."""

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The controller's own trust and identity."""

    ca_file: str | None = None
    """Replaces the cluster's and the system's authorities where a source names none."""
    insecure_skip_verify: bool = False
    client_cert_file: str | None = None
    """Our certificate chain, where a source names none: a mesh's workload certificate."""
    client_key_file: str | None = None
    subject_alt_names: tuple[str, ...] = ()
    """Names accepted where a source gives neither these nor a server name: `spiffe://…` of a mesh."""
    account: str = ACCOUNT
    """The directory with the service account's `token` and `ca.crt`."""
    trusted_endpoints: tuple[str, ...] = ()
    """Hosts, or `host:port`, outside the pods that may receive the controller's own token and certificate."""

    def trusts(self, peer: str | None) -> bool:
        """Whether a peer (as `core.model.peers` writes it; None is a pod) may see the controller's own credentials."""
        return peer is None or peers.is_named(peer, self.trusted_endpoints)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request needs besides its address."""

    context: ssl.SSLContext | None = None
    """None is plain HTTP."""
    server_name: str | None = None
    headers: auth.Headers = field(default=(), repr=False)
    http2: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Whom to reach, and how."""

    namespace: str
    """The autoscaler's; Secrets and ConfigMaps come from nowhere else."""
    http: Http
    peer: str | None = None
    """A URL's `host:port`; None means pods."""


class Preparer:
    """Looks up what one kind of access needs. A file is read again only after it has changed."""

    def __init__(self, credentials: auth.Credentials, defaults: Defaults) -> None:
        self._credentials = credentials
        self._defaults = defaults
        self._contexts = tls.Contexts()
        self._making = asyncio.Lock()
        self._files: dict[str, files.File] = {}

    async def prepare(self, kind: Kind) -> Prepared | Failure:
        """The context and headers of this kind as of now, or what is missing or unreadable."""
        http = kind.http
        context = await self._context(kind) if http.scheme == "https" else None
        if isinstance(context, Failure):
            return context
        token = self._token(kind) if http.auth.service_account_token else None
        if isinstance(token, Failure):
            return token
        headers = await auth.headers(http.auth, kind.namespace, self._credentials, token)
        if isinstance(headers, Failure):
            return headers
        return Prepared(context, http.tls.server_name, plain(http).headers + headers, http.http2)

    def _token(self, kind: Kind) -> bytes | Failure:
        if not self._defaults.trusts(kind.peer):
            return Failure(
                Reason.CREDENTIALS,
                f"{kind.peer} may not receive the controller's token: name it in the controller's list of trusted "
                "endpoints, or use `auth.bearerTokenSecretRef`",
            )
        return self._file(f"{self._defaults.account}/token")

    async def _context(self, kind: Kind) -> tls.Context | Failure:
        wanted = kind.http.tls
        verify = not self.skips(kind)
        trust = await self._trust(kind) if verify else ((), False)
        if isinstance(trust, Failure):
            return trust
        identity = await self._identity(kind)
        if isinstance(identity, Failure):
            return identity
        names = wanted.subject_alt_names or (() if wanted.server_name else self._defaults.subject_alt_names)
        alpn = tls.HTTP2 if kind.http.http2 else tls.HTTP1
        return await self._made(
            tls.Material(trust[0], trust[1], identity, verify=verify, accepted_names=names, alpn=alpn)
        )

    async def _made(self, material: tls.Material) -> tls.Context | Failure:
        """The context of this content. Large ones are made one at a time, with room for others between them: one object
        may want 64, and others after each edit."""
        size = sum(len(each.content) for each in material.authorities)
        if size <= _UNNOTICED or self._contexts.has(material):
            return self._contexts.get(material)
        async with self._making:
            await asyncio.sleep(size / _PER_SECOND)
            return self._contexts.get(material)

    async def _trust(self, kind: Kind) -> tuple[tuple[tls.Pem, ...], bool] | Failure:
        """The authorities to trust, and whether the system's count."""
        given = await self._given(kind)
        if isinstance(given, Failure):
            return given
        if given:
            return given, False
        default = self._defaults.ca_file
        if default is not None:
            content = self._file(default)
            return content if isinstance(content, Failure) else ((tls.Pem(default, content),), False)
        path = f"{self._defaults.account}/ca.crt"
        content = self._file(path)
        return (() if isinstance(content, Failure) else (tls.Pem(path, content),)), True

    async def _given(self, kind: Kind) -> tuple[tls.Pem, ...] | Failure:
        """The authorities the source itself names."""
        wanted, found = kind.http.tls, list[tls.Pem]()
        if wanted.ca_bundle is not None:
            found.append(tls.Pem("tls.caBundle", wanted.ca_bundle.encode("utf-8", "replace")))
        for field_name, kind_name, reference in (
            ("tls.caSecretRef", "Secret", wanted.ca_secret),
            ("tls.caConfigMapRef", "ConfigMap", wanted.ca_config_map),
        ):
            if reference is not None:
                content = await self._key(kind_name, kind.namespace, reference)
                if isinstance(content, Failure):
                    return content
                found.append(tls.Pem(f"{field_name} {reference.name}, key {reference.key}", content))
        for each in found:
            if len(each.content) > LARGEST_BUNDLE:
                why = (
                    f"{each.origin} is larger than {LARGEST_BUNDLE} bytes; name the authorities that these servers have"
                )
                return Failure(Reason.CREDENTIALS, why)
        if wanted.ca_file is not None:
            content = self._file(wanted.ca_file)
            if isinstance(content, Failure):
                return content
            found.append(tls.Pem(wanted.ca_file, content))
        return tuple(found)

    async def _identity(self, kind: Kind) -> tls.Pem | Failure | None:
        name = kind.http.tls.client_cert_secret
        if name is not None:
            data = await self._credentials.secret(kind.namespace, name)
            chain = auth.one("Secret", kind.namespace, name, data, "tls.crt")
            key = auth.one("Secret", kind.namespace, name, data, "tls.key")
            origin = f"tls.clientCertSecretRef {name}"
        elif self._defaults.client_cert_file is not None and self._defaults.trusts(kind.peer):
            origin = self._defaults.client_cert_file
            chain = self._file(origin)
            key = self._file(self._defaults.client_key_file or origin)
        else:
            return None
        if isinstance(chain, Failure):
            return chain
        if isinstance(key, Failure):
            return key
        return tls.Pem(origin, chain + b"\n" + key)

    async def _key(self, kind: str, namespace: str, reference: KeyRef) -> bytes | Failure:
        ask = self._credentials.secret if kind == "Secret" else self._credentials.config_map
        return auth.one(kind, namespace, reference.name, await ask(namespace, reference.name), reference.key)

    def _file(self, path: str) -> bytes | Failure:
        return self._files.setdefault(path, files.File(path)).read()

    def skips(self, kind: Kind) -> bool:
        """Whether the certificates of these servers go unverified."""
        skip = kind.http.tls.insecure_skip_verify
        return kind.http.scheme == "https" and (self._defaults.insecure_skip_verify if skip is None else skip)


def needs_nothing(http: Http) -> bool:
    """Whether requests of this kind need no context and no credentials, so that nothing has to be looked up."""
    given = http.auth
    return http.scheme == "http" and not (
        given.service_account_token or given.bearer_token or given.basic_auth_secret or given.headers
    )


def plain(http: Http) -> Prepared:
    """What is known without looking anything up."""
    host = (("Host", http.host_header),) if http.host_header else ()
    return Prepared(None, None, host, http.http2)
