"""What the user asked: one PodAutoscaler, read, defaulted and checked.

`api.decode` builds these; after that no code asks whether a field was set.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The name of an autoscaler within a cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class TargetRef:
    """The object whose `scale` subresource is patched; always in the autoscaler's own namespace."""

    api_version: str
    kind: str
    name: str
    role: str | None = None
    """`subTargetSelector.roleName`: a role inside a larger object, AIBrix's StormService for one."""
    role_mode: Literal["pool", "replica"] | None = None
    """AIBrix's `storm-service-mode` annotation: whether the role itself is scaled or the whole it is in; None means the
    target's own `spec.mode` says."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" role {self.role}" if self.role else "")


# --- where a metric comes from ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a Secret or ConfigMap in the autoscaler's own namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server's certificate is checked, and how we show ours."""

    insecure_skip_verify: bool | None = None
    """None means the controller's default."""
    ca_bundle: str | None = None
    """PEM text."""
    ca_secret: KeyRef | None = None
    ca_config_map: KeyRef | None = None
    ca_file: str | None = None
    """A file in the controller's container; only the controller's own settings may name one."""
    server_name: str | None = None
    """The name to send as SNI and to find in the certificate; None means the address."""
    subject_alt_names: tuple[str, ...] = ()
    """Accepted names instead of the server name, `spiffe://` URIs among them."""
    client_cert_secret: str | None = None
    """A kubernetes.io/tls Secret: `tls.crt` and `tls.key`."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The credentials a scrape carries; never logged, never across a redirect."""

    service_account_token: bool = False
    bearer_token: KeyRef | None = None
    basic_auth_secret: str | None = None
    """A kubernetes.io/basic-auth Secret: `username` and `password`."""
    headers: tuple[tuple[str, KeyRef], ...] = ()
    """Header name and where its value is."""


@dataclass(frozen=True, slots=True)
class Http:
    """How to ask over HTTP."""

    scheme: Literal["http", "https"] | None = "http"
    """None, only for pages of pods: the pod's `prometheus.io/scheme`, else http."""
    tls: Tls = Tls()
    auth: Auth = Auth()
    host_header: str | None = None
    http2: bool = False
    timeout: float | None = None
    """Seconds for one whole exchange; None means the controller's default."""


@dataclass(frozen=True, slots=True)
class PodPage:
    """A page every pod serves itself."""

    http: Http
    port: int | str | None
    """A number, a container port's name, or None: the pod's `prometheus.io/port`, else its only port."""
    path: str | None
    """With a leading slash; None means the pod's `prometheus.io/path`, else the engine's, else /metrics."""


@dataclass(frozen=True, slots=True)
class Resource:
    """cpu or memory from metrics.k8s.io."""

    name: str
    container: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object a custom metric describes."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Custom:
    """A metric from custom.metrics.k8s.io, of the target's pods or of one described object."""

    metric: str
    described: ObjectRef | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One page, outside the pods, that answers for the whole workload."""

    http: Http
    url: str
    json_path: str | None = None


@dataclass(frozen=True, slots=True)
class External:
    """A metric from external.metrics.k8s.io; matching values are added up."""

    metric: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL instant query."""

    http: Http
    url: str
    """The server's base; `/api/v1/query` follows it."""
    query: str
    ignore_null: bool = False
    """Whether an empty result is zero, as KEDA has it; otherwise it is missing."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A number computed from other metrics of the autoscaler: `spec.formula`. Nothing is asked for it."""

    expression: str
    """As `core.formula` reads it."""
    inputs: tuple[tuple[str, str], ...]
    """Each name in the expression, and the `MetricSpec.id` it stands for."""
    needs_pods: bool
    """Whether one of them has no value while there are no pods."""


Source = PodPage | Resource | Custom | Endpoint | External | Query | Formula


# --- what is read from it --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """One condition on a series' labels, with the meaning of a Kubernetes label selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class Aggregation(StrEnum):
    """How the series of one pod become one number."""

    SUM = "sum"
    AVG = "avg"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Select:
    """Which series of a page are meant."""

    metric: str
    """A literal series name, or one of AIBrix's logical names (`core.names`)."""
    matches: tuple[LabelMatch, ...] = ()
    aggregation: Aggregation = Aggregation.SUM


@dataclass(frozen=True, slots=True)
class Gauge:
    """The value as it stands."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A counter's growth per second over the observe window, as PromQL's `rate`."""


@dataclass(frozen=True, slots=True)
class Increase:
    """A counter's growth over the observe window, as PromQL's `increase`."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a classic histogram's growth over the observe window."""

    q: float
    """0 to 1."""


Derive = Gauge | Rate | Increase | Quantile


class TargetType(StrEnum):
    """What `targetValue` is compared with."""

    AVERAGE_VALUE = "AverageValue"
    """The value per pod."""
    VALUE = "Value"
    """The value of the whole."""
    UTILIZATION = "Utilization"
    """Per cent of the pods' requests (resource sources only)."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The value a metric is held at."""

    value: float
    """In the metric's unit; per cent for utilization."""
    milli: int
    """The same in thousandths, exactly, rounded away from zero as Kubernetes does."""
    kind: TargetType = TargetType.AVERAGE_VALUE


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One entry of `metricsSources`."""

    id: str
    """The metric's name, unique within the autoscaler: the second source of one name is `name#2`."""
    source: Source
    select: Select
    threshold: Threshold
    derive: Derive = Gauge()
    interval: float = 15.0
    """Seconds between two readings."""
    activation: float = 0.0
    """From zero replicas, a value above this wakes the workload."""
    is_input: bool = False
    """Whether it only feeds a formula: then it asks for no count of its own."""


# --- how it is decided -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The band around the target in which nothing happens, as a share of the target: 0.1 is ten per cent."""

    up: float = 0.1
    down: float = 0.1


@dataclass(frozen=True, slots=True)
class Kpa:
    """Knative's algorithm over time windows."""

    stable_window: float = 180.0
    """Seconds."""
    panic_window: float = 60.0
    """Seconds."""
    panic_threshold: float = 2.0
    """Panic when the panic window asks for this many times the ready pods."""
    max_scale_up_rate: float = 2.0
    max_scale_down_rate: float = 2.0
    activation_scale: int = 1
    scale_down_delay: float = 0.0
    """Seconds over which the highest recommendation counts."""
    scale_to_zero_grace: float = 30.0
    """Seconds that a workload asked to be zero keeps its pods."""
    last_pod_retention: float = 0.0
    """Seconds that the last pod is kept."""
    weighted: bool = False
    """Exponentially weighted windows instead of linear ones."""
    target_burst_capacity: float = 0.0
    """Wanted head-room over the whole workload, reported as excess burst capacity; 0 is off, negative unlimited."""
    total_value: float | None = None
    """The load one pod can carry, for the excess burst capacity; None means the target value."""
    tolerance: Tolerance = Tolerance(up=0.0, down=0.0)
    reachable: bool = True
    """False for a workload that nothing routes to any more: it shrinks without the down rate and the delay."""


@dataclass(frozen=True, slots=True)
class Hpa:
    """Kubernetes' algorithm, on any source."""

    tolerance: Tolerance = Tolerance()
    cpu_initialization_period: float = 300.0
    """Seconds after a pod's start in which its cpu counts only when it is ready."""
    initial_readiness_delay: float = 30.0
    """Seconds after a pod's start in which a change to unready counts as never ready."""
    guarded: bool = True
    """Hold a count back where Kubernetes' arithmetic misleads (`algorithms.hpa.guards`), and where recommendations are
    missing or the clock stepped; conformance turns it off."""
    scale_to_zero: bool = True
    """Kubernetes' gate HPAScaleToZero: a workload that this autoscaler scaled to zero may be woken again."""
    window: float = 180.0
    """Seconds over which a counter's growth is measured."""


@dataclass(frozen=True, slots=True)
class Apa:
    """AIBrix's algorithm: a ratio outside a tolerance band."""

    window: float = 180.0
    """Seconds over which the value is averaged."""
    tolerance: Tolerance = Tolerance()
    max_scale_up_rate: float = 2.0
    max_scale_down_rate: float = 2.0


Algorithm = Kpa | Hpa | Apa


class SelectPolicy(StrEnum):
    """Which of several policies rules."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class Policy:
    """How far the count may move within any one period."""

    kind: Literal["Pods", "Percent"]
    value: int
    period: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """One direction of autoscaling/v2's behavior, defaulted field by field."""

    window: float | None
    """Stabilisation in seconds; None (scale-down only) means the controller's default."""
    select: SelectPolicy
    policies: tuple[Policy, ...]
    tolerance: float | None = None
    """None means the strategy's own."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """autoscaling/v2's HorizontalPodAutoscalerBehavior."""

    up: ScalingRules
    down: ScalingRules


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Stabilisation where `behavior` does not say otherwise: the extreme recommendation of the last seconds counts."""

    up: float = 0.0
    """Seconds; growing waits until the lowest recommendation of so long asks for it."""
    down: float = 300.0
    """Seconds; shrinking waits until the highest recommendation of so long asks for it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most replicas, both included."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Bounds of their own at some hours of some days."""

    name: str
    timezone: str
    """An IANA name."""
    days: frozenset[int]
    """0 is Monday; empty means every day. A period across midnight belongs to the day it starts on."""
    start: int
    """Minutes after local midnight."""
    end: int
    """Minutes after local midnight; not after `start` means on the next day."""
    minimum: int | None
    maximum: int | None


class Mode(StrEnum):
    """Whether a decision is carried out."""

    ACTIVE = "Active"
    DRY_RUN = "DryRun"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True)
class Fallback:
    """The count to go to when metrics have been unavailable for a while."""

    replicas: int
    after: float
    """Seconds."""


class Foreseen(StrEnum):
    """A way to tell a load to come."""

    TREND = "Trend"
    """The line through the last minutes."""
    DAILY = "Daily"
    """What was usual at that time of the day."""
    WEEKLY = "Weekly"
    """What was usual at that time of the week."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Asking for pods before the load is there. It only ever raises a count."""

    methods: tuple[Foreseen, ...] = (Foreseen.TREND, Foreseen.DAILY, Foreseen.WEEKLY)
    """The one that has been right most of late is believed, if any."""
    window: float = 300.0
    """Seconds that the trend is drawn through."""
    horizon: float | None = None
    """Seconds to look ahead; None means the start-up time of the target's own pods."""
    max_error: float = 0.3
    """The mean error, as a share of the load, above which a forecast is silent."""
    share: float = 0.5
    """The share of the past outcomes that the load provided for would have covered: 0.5 is the middle."""


@dataclass(frozen=True, slots=True)
class AutoscalerSpec:
    """One PodAutoscaler."""

    key: Key
    uid: str
    generation: int
    target: TargetRef
    metrics: tuple[MetricSpec, ...]
    algorithm: Algorithm
    bounds: Bounds
    schedules: tuple[Schedule, ...] = ()
    behavior: Behavior | None = None
    cooldown: Cooldown = field(default_factory=Cooldown)
    mode: Mode = Mode.ACTIVE
    fallback: Fallback | None = None
    min_coverage: float = 0.5
    """The share of the expected pods that must answer before the workload may shrink."""
    starting_limit: float = 600.0
    """Seconds that a starting pod counts as capacity on its way."""
    removes_least_loaded: bool = False
    """Whether the least loaded pods are marked to go first, before a scale-down."""
    forecast: Forecast | None = None
    shadow: "AutoscalerSpec | None" = None
    """Another policy for the same target and the same metrics, computed and never carried out."""
    created: float = 0.0
    """creationTimestamp in seconds since 1970; the older of two rivals acts."""

    @property
    def is_exact(self) -> bool:
        """Whether nothing is to be added to Kubernetes' own pass, as conformance wants it."""
        return isinstance(self.algorithm, Hpa) and not self.algorithm.guarded

    @property
    def interval(self) -> float:
        """Seconds between two decisions: those of the most eager metric."""
        return min((metric.interval for metric in self.metrics), default=15.0)
