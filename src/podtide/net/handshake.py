"""One TLS handshake for its own sake: which certificates a server shows, and what it negotiates. For `podtide probe`.

Nothing is verified and nothing is sent: this is to show a person what there is, also where a scrape was refused.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Any

from podtide.core.model.reading import Failure
from podtide.net import certnames, errors, page, tls

_GOODBYE = 0.5
"""Seconds for the end of the connection."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a server showed."""

    version: str
    """`TLSv1.3`."""
    protocol: str | None
    """What ALPN came to: `h2`, `http/1.1`; None where the server does not negotiate."""
    chain: tuple[certnames.Certificate, ...]
    """The server's certificate first; empty where this Python cannot tell."""


async def look(ask: page.Ask, timeout: float, *, protocols: tuple[str, ...] = tls.HTTP1) -> Handshake | Failure:
    """Shake hands with a server within so many seconds, or say why it does not speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(
                ask.host, ask.port, ssl=context, server_hostname=ask.server_name or ask.host
            )
    except ssl.SSLError as error:
        return tls.classify(error, ask)
    except OSError as error:
        return errors.named(error, f"{ask.host}:{ask.port}")
    del reader
    secured: Any = writer.get_extra_info("ssl_object")
    seen = Handshake(secured.version() or "", secured.selected_alpn_protocol(), _chain(secured))
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        # A server that does not say goodbye is not waited for.
        async with asyncio.timeout(_GOODBYE):
            await writer.wait_closed()
    return seen


def _chain(secured: Any) -> tuple[certnames.Certificate, ...]:
    # Without verification the public ways give undecoded bytes, if anything; see `tls._presented`.
    inner: Any = getattr(secured, "_sslobj", None)
    try:
        return tuple(certificate.get_info() for certificate in inner.get_unverified_chain() or ())
    except (AttributeError, ssl.SSLError):
        return ()
