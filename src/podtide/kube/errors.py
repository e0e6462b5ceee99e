"""What can go wrong with the Kubernetes API, as one small tree. Raised by `kube.client` and `kube.config` only.

KubeError
├── ConfigError       no usable kubeconfig or service account
├── Withheld          not sent: whoever asked may no longer write
├── Unreachable       no answer: refused, unresolved, TLS, timed out, cut
├── TooLarge          an answer longer than whoever asked takes
└── StatusError       an answer that is not a success
    ├── Unauthorized      401
    ├── Forbidden         403
    ├── NotFound          404
    ├── Conflict          409
    ├── Gone              410: the resourceVersion is too old; list again
    ├── Invalid           400, 415, 422
    ├── TooManyRequests   429
    └── ServerError       5xx
"""

import msgspec


class KubeError(Exception):
    """Any trouble with the Kubernetes API."""


class ConfigError(KubeError):
    """There is no usable configuration."""


class Withheld(KubeError):
    """The request was not sent, since the permission for it had gone while it waited its turn."""


class Unreachable(KubeError):
    """The API server did not answer."""


class TooLarge(KubeError):
    """The answer is longer than whoever asked takes."""


class StatusError(KubeError):
    """The API server answered, but not with a success."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        """The machine's word: `Conflict`, `AlreadyExists`, `Expired`, …"""
        self.message = message
        self.retry_after = retry_after
        """Seconds the server asks us to wait, where it does."""


class Unauthorized(StatusError):
    """401: our credentials are not accepted."""


class Forbidden(StatusError):
    """403: our role lacks a verb."""


class NotFound(StatusError):
    """404: no such object, or no such API."""


class Conflict(StatusError):
    """409: the object has changed, or exists already (`reason` tells)."""


class Gone(StatusError):
    """410: the resourceVersion asked for has been compacted away."""


class Invalid(StatusError):
    """The server refuses what we sent."""


class TooManyRequests(StatusError):
    """429: slow down."""


class ServerError(StatusError):
    """5xx: the server's own trouble."""


_BY_CODE: dict[int, type[StatusError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8, not of the wanted type, or nested too deep."""


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""
    code: int = 0


def from_status(code: int, body: bytes, *, retry_after: float | None = None) -> StatusError:
    """The error for an answer's status code and body, whether that is a Status object or plain text."""
    try:
        status = msgspec.json.decode(body, type=_Status)
    except UNREADABLE:
        # An absent API group and every proxy in between answer in plain text.
        status = _Status(message=body[:200].decode("utf-8", "replace").strip())
    code = code if code >= 400 else status.code or 500
    kind = _BY_CODE.get(code, ServerError if code >= 500 else StatusError)
    return kind(code, status.reason or kind.__name__, status.message or "no message", retry_after=retry_after)
