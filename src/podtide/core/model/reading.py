"""What a source answered: numbers where there are any, named failures where there are none. Missing is never zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_DETAIL = 600
"""Characters of a failure's wording: it goes into logs, conditions and events."""


class Reason(StrEnum):
    """Why a value is missing. The words are metric labels and condition reasons, so they do not change."""

    TIMEOUT = "Timeout"
    CONNECT = "ConnectionFailed"
    """Refused, unreachable, or a name that does not resolve."""
    RESET = "ConnectionLost"
    TLS_UNTRUSTED = "TLSUntrusted"
    TLS_NAME = "TLSNameMismatch"
    TLS_EXPIRED = "TLSExpired"
    TLS_CLIENT = "TLSClientCertificate"
    """The server wants a client certificate, or refuses ours."""
    TLS = "TLSFailed"
    """Any other TLS trouble, a certificate authority that cannot be read among it."""
    UNAUTHORIZED = "Unauthorized"
    """401 or 403."""
    NOT_FOUND = "NotFound"
    """404."""
    REDIRECT = "Redirected"
    STATUS = "HTTPStatus"
    """Any other status than 200."""
    PROTOCOL = "MalformedHTTP"
    TOO_LARGE = "PageTooLarge"
    CONTENT = "WrongContentType"
    PARSE = "MalformedPage"
    NO_METRIC = "MetricNotFound"
    NO_SERIES = "NoSeriesMatch"
    """The metric is there, but no series has the wanted labels."""
    NOT_A_NUMBER = "NotANumber"
    """NaN or an infinity."""
    NO_PORT = "PortNotFound"
    NO_ADDRESS = "PodHasNoAddress"
    NO_HISTORY = "NotEnoughHistory"
    """A rate needs two readings."""
    BACKED_OFF = "BackedOff"
    """Not asked: it has kept failing."""
    CREDENTIALS = "CredentialsMissing"
    """A Secret or ConfigMap that is named is not there or lacks the key."""
    FORBIDDEN_ADDRESS = "AddressNotAllowed"
    API = "APIError"
    """The Kubernetes API, or a metrics API behind it, did not answer."""
    NO_PODS = "NoReadyPods"
    """Nobody to ask: no pod of the target takes traffic."""
    NO_DATA = "NoData"
    """The source answered, and has no value."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A value that could not be read. Two failures of one reason are equal, whatever their wording."""

    reason: Reason
    detail: str = field(default="", compare=False)
    """What a person can act on: what was asked, what came back, and the remedy. Always one short printable line, since
    a stranger's page or server may have worded a part of it."""

    def __post_init__(self) -> None:
        if len(self.detail) > LONGEST_DETAIL or not self.detail.isprintable():
            object.__setattr__(self, "detail", _line(self.detail))

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


def _line(text: str) -> str:
    if len(text) > LONGEST_DETAIL:
        # The remedy stands at the end.
        half = LONGEST_DETAIL // 2
        text = f"{text[: half - 1]}…{text[-half:]}"
    return "".join(character if character.isprintable() else "·" for character in text)


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of a page and its value."""

    name: str
    labels: Mapping[str, str]
    value: float
    at: float | None = None
    """The page's own time stamp in seconds, where it gives one."""


@dataclass(frozen=True, slots=True)
class Span:
    """When and over how long a value was measured (metrics.k8s.io says so)."""

    at: float
    window: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric, read once."""

    metric: str
    """`MetricSpec.id`."""
    at: float
    """Seconds; when the last pod had answered or was given up."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Pod uid → the pod's one finite number."""
    series: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    """Pod uid → the wanted series, for metrics that are derived over time (rate, increase, quantile).

    The empty uid stands for the whole workload, from sources that have no pods."""
    spans: Mapping[str, Span] = field(default_factory=dict)
    total: float | None = None
    """The number of the whole workload, from sources that have no pods."""
    expected: int = 0
    """How many pods should have answered: the ready ones."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """Pod uid → why there is no number."""
    failure: Failure | None = None
    """Why the source as a whole gave nothing."""
