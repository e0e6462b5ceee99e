"""The controller's options and their defaults: one frozen value that `cli.run` makes from flags and everybody reads."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between two readings where a source does not say."""

    kpa: float = 2.0
    others: float = 15.0
    """APA and HPA: Kubernetes' own sync period."""


@dataclass(frozen=True, slots=True)
class Scraping:
    """How pods and endpoints are asked."""

    timeout: float = 3.0
    """Seconds for one exchange, where a source does not say."""
    page_bytes: int = 10 * 1024 * 1024
    """The most a decoded page may hold."""
    header_bytes: int = 64 * 1024
    in_flight: int = 64
    """Exchanges at the same time."""
    idle: float = 60.0
    """Seconds after which an unused connection is closed."""
    retries: int = 1
    """Further tries of a pod within one round, where time allows."""
    backoff_limit: float = 60.0
    """The longest pause, in seconds, before a pod that keeps failing is asked again."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates and addresses are trusted."""

    ca_file: str | None = None
    """Authorities for scrapes whose source names none; None means the service account's and the system's."""
    insecure_skip_verify: bool = False
    """What a source that says nothing does."""
    token_endpoints: tuple[str, ...] = ()
    """Hosts, or `host:port`, outside the pods that may receive the controller's own token."""
    allowed_endpoints: tuple[str, ...] = ()
    """Hosts, `*.suffix` patterns or networks that objects may name although they are loopback, link-local or the API
    server's; everything else that is public or inside the cluster is allowed."""
    client_cert_file: str | None = None
    """A client certificate for scrapes whose source names none, a mesh's for one."""
    client_key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """How the Kubernetes API is used."""

    kubeconfig: str | None = None
    """None means the service account, then the user's default."""
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    """Watched namespaces; none means all."""
    qps: float = 50.0
    """Requests a second, on average."""
    burst: int = 100


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which replica of the controller acts."""

    enabled: bool = True
    """Leader election; a single controller on a laptop does without."""
    shards: int = 1
    """Leases that the autoscalers are spread over; one is plain leader election."""
    lease_namespace: str | None = None
    """None means the controller's own."""
    lease_name: str = "podtide"
    """With several shards, a dash and the shard's number follow."""
    identity: str | None = None
    """None means the pod's name and a random suffix."""
    lease_duration: float = 15.0
    """Seconds after which a lease that is not renewed may be taken over."""
    renew_deadline: float = 10.0
    """Seconds without renewal after which the holder stops writing."""
    retry_period: float = 2.0
    """Seconds between two attempts to renew."""
    keep_state: bool = True
    """Keep what the autoscalers remember in ConfigMaps beside the leases, for the next owner."""
    keep_every: float = 15.0
    """Seconds between two writes of it; at most so much is lost with a replica that dies."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the controller itself serves and writes."""

    metrics_host: str = ""
    """The address to listen on; empty is every one, as the cluster reads the page."""
    metrics_port: int = 8080
    """0 takes a free one, as for the other port; of one number, one port serves both."""
    health_port: int = 8081
    log_format: Literal["auto", "json", "human"] = "auto"
    """auto is human at a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class Deciding:
    """Defaults of the decision that an object need not know."""

    scale_down_stabilization: float = 300.0
    """Seconds."""
    cpu_initialization_period: float = 300.0
    """Seconds after a pod's start in which HPA counts its cpu only when it is ready."""
    initial_readiness_delay: float = 30.0
    """Seconds after a pod's start in which HPA takes a change to unready for never having been ready."""
    tolerance: float = 0.1
    """HPA's and APA's band around the target, as a share of it."""
    min_coverage: float = 0.5
    """The share of the ready pods that must have answered before a workload may shrink."""
    starting_limit: float = 600.0
    """Seconds that a starting pod counts as capacity on its way."""
    fallback_after: float = 300.0
    """Seconds without metrics after which a `fallback` without `afterSeconds` is used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option of the controller."""

    intervals: Intervals = field(default_factory=Intervals)
    scraping: Scraping = field(default_factory=Scraping)
    trust: Trust = field(default_factory=Trust)
    cluster: Cluster = field(default_factory=Cluster)
    ownership: Ownership = field(default_factory=Ownership)
    serving: Serving = field(default_factory=Serving)
    deciding: Deciding = field(default_factory=Deciding)
