"""An answer becomes series, or a failure that says what to change. `sources.pool` judges every page here."""

import functools
from collections.abc import Mapping, Sequence

from podtide.core import exposition
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.net import page

Text = bytes | memoryview
"""A page. A view is valid only until whoever received it returns."""
Series = Mapping[str, Sequence[Sample]]
"""The wanted series of a page, by name."""

IN_DOUBT = frozenset(
    {Reason.UNAUTHORIZED, Reason.TLS_UNTRUSTED, Reason.TLS_CLIENT, Reason.TLS_EXPIRED, Reason.TLS_NAME}
)
"""Failures that new credentials or certificates may end."""

ACCEPT = "text/plain;version=1.0.0;escaping=allow-utf-8, text/plain;version=0.0.4;q=0.9, */*;q=0.1"
"""What to ask for. Only this version lets a server send names as its author wrote them: for 0.0.4 dots become
underscores, and for OpenMetrics vLLM's client library turns colons into underscores."""
ACCEPT_JSON = "application/json, */*;q=0.1"

_OPENMETRICS = "application/openmetrics-text"
_TEXTS = ("text/plain", _OPENMETRICS, "text/x-prometheus", "application/octet-stream")
"""Types that pages are served under; a page without any type is read, too."""
_SEARCHABLE = (bytes, bytearray)
_TLS_WANTED = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port")
_OF_SECRETS = "`auth.serviceAccountToken`, `auth.bearerTokenSecretRef`, `auth.basicAuthSecretRef` or \
`auth.headerSecretRef`"


def refusal(answer: page.Page | page.FetchedPage, ask: page.Ask) -> Failure | None:
    """Why an answer is no page to read; None if it is one."""
    if answer.status == 200:
        return None
    said = f"{ask}: HTTP {answer.status}"
    match answer.status:
        case 401:
            return Failure(Reason.UNAUTHORIZED, f"{said}{_challenge(answer)}; {_unauthorized(ask)}")
        case 403:
            return Failure(Reason.UNAUTHORIZED, f"{said}; {_forbidden(ask)}")
        case 404:
            return Failure(Reason.NOT_FOUND, f"{said}; {_not_found(answer, ask)}")
        case 426 | 505:
            return Failure(
                Reason.STATUS, f"{said}; the server does not speak HTTP/{'2' if ask.http2 else '1.1'}: {_version(ask)}"
            )
        case status if 300 <= status < 400:
            to = f" to {answer.location[:200]}" if answer.location else ""
            return Failure(
                Reason.REDIRECT, f"{said}{to}; redirects are not followed: give the final `path`, port and protocol"
            )
        case 400 if ask.context is None and any(text in bytes(answer.body[:1024]) for text in _TLS_WANTED):
            return Failure(Reason.TLS, f"{said}; the server speaks TLS on this port: set `protocolType: https`")
    return Failure(Reason.STATUS, f"{said}; see the server's log")


def series(
    text: Text, content_type: str, reader: exposition.Reader, ask: page.Ask | str, *, start: int = 0
) -> Series | Failure:
    """The wanted series of a page, or why it cannot be read.

    A view is read in the buffer behind it, where it begins at `start` (`net.page.Page.start`).
    """
    kind = _kind(content_type)
    openmetrics = kind == _OPENMETRICS
    try:
        behind = text.obj if isinstance(text, memoryview) else text
        if isinstance(behind, _SEARCHABLE) and (start or len(behind) == len(text)):
            found = reader.read(behind, openmetrics=openmetrics, start=start, end=start + len(text))
        else:
            found = reader.read(text, openmetrics=openmetrics)
    except exposition.TooMany as error:
        advice = "read a metric with fewer, or have the server leave labels out"
        return Failure(Reason.TOO_LARGE, f"{ask}: line {error.line}: {error.cause}; {advice}")
    except exposition.Malformed as error:
        if _is_text(kind):
            return Failure(Reason.PARSE, f"{ask}: line {error.line}: {error.cause}")
        found = {}
    # A page under another type is read all the same: many servers get the type wrong, few the page.
    if not found and not _is_text(kind):
        advice = "check `path` (a web page often answers every path)"
        if kind.endswith("json"):
            advice = "a number of a JSON document is read by an `external` source with `jsonPath`"
        return Failure(Reason.CONTENT, f"{ask}: the answer is {kind}, and no page of metrics; {advice}")
    return found


def is_openmetrics(content_type: str) -> bool:
    """Whether the server says that its page is OpenMetrics."""
    return _kind(content_type) == _OPENMETRICS


@functools.lru_cache(maxsize=64)
def _kind_of(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _kind(content_type: str) -> str:
    # Cut, because what is remembered is the server's to choose.
    return _kind_of(content_type[:128])


def _is_text(kind: str) -> bool:
    return not kind or kind in _TEXTS


def _challenge(answer: page.Page | page.FetchedPage) -> str:
    return f" ({answer.www_authenticate[:100]})" if answer.www_authenticate else ""


def _shows_credentials(ask: page.Ask) -> bool:
    return any(name.lower() not in ("host", "accept") for name, _ in ask.headers)


def _unauthorized(ask: page.Ask) -> str:
    if _shows_credentials(ask):
        return "it does not accept the credentials that were sent; check the token or password, and its audience"
    return f"it wants credentials: set {_OF_SECRETS}"


def _forbidden(ask: page.Ask) -> str:
    if _shows_credentials(ask):
        return (
            "it knows these credentials, but they may not read this page; for Kubernetes components bind a ClusterRole "
            f'with nonResourceURLs ["{ask.path}"] and the verb get to the identity of the token'
        )
    return f"it may want credentials: set {_OF_SECRETS}; or a policy of the mesh forbids us"


def _not_found(answer: page.Page | page.FetchedPage, ask: page.Ask) -> str:
    host = next((value for name, value in ask.headers if name.lower() == "host"), None)
    through = "envoy" in answer.server.lower()
    if through or not len(answer.body):
        proxy = f"a proxy ({answer.server})" if through else "the server, or a proxy before it,"
        sent = f"the Host {host!r}" if host else "a Host that is only the pod's address"
        return f"check `path`; {proxy} may not know {sent}: set `hostHeader` to the name of its Service"
    return "check `path` and `port`"


def _version(ask: page.Ask) -> str:
    return "leave `http2` off" if ask.http2 else "set `http2: true`"
