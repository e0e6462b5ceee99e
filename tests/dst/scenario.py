"""What one seed's world looks like: how many controllers, which autoscalers, what they are asked to do. All drawn."""

import random
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

EPOCH = 1_700_000_000.0
"""The world's wall clock at the start, in seconds since 1970: 22:13:20 in UTC."""

GATEWAY = "gateway.example"
"""A host outside the pods that knows what waits for each workload."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The times of a Lease in seconds."""

    duration: float
    deadline: float
    retry: float


LEASES = (
    *[Lease(300, 200, 96)] * 40,
    *[Lease(150, 100, 48)] * 40,
    *[Lease(90, 60, 28)] * 15,
    *[Lease(60, 40, 15)] * 5,
    Lease(30, 20, 5),
    Lease(15, 10, 2),
)
"""Mostly longer than the defaults, which stand last: renewals are what an idle hour costs most in."""


@dataclass(slots=True)
class Plan:
    """One autoscaler as it is asked for."""

    namespace: str
    name: str
    workload: str
    strategy: str
    interval: float
    minimum: int
    maximum: int
    target: float
    window: float
    stabilization: float
    second: float = 0.0
    """The target of a second metric; 0 without."""
    token: bool = False
    """Whether the pods want a bearer token from a Secret."""
    over_tls: bool = False
    """Whether the pods speak TLS, with an authority from a Secret."""
    wakes: bool = False
    """Whether it may scale to zero, and is woken by what a gateway says is waiting."""
    schedule: tuple[int, int, int, int] | None = None
    """Bounds of their own: from which minute of the day in UTC until which, the least and the most."""
    mode: str = "Active"
    has_behavior: bool = True
    revision: int = 0
    """Counts the edits."""

    def manifest(self) -> Object:
        """The object as a user would write it."""
        sources = [self._source("queue", self.target)]
        if self.second:
            sources.append(self._source("other", self.second))
        if self.wakes:
            sources.append(self._gateway())
        spec: Object = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.workload},
            "scalingStrategy": self.strategy,
            "minReplicas": self.minimum,
            "maxReplicas": self.maximum,
            "observeWindowSeconds": int(self.window),
            "mode": self.mode,
            "metricsSources": sources,
        }
        if self.schedule is not None:
            start, end, least, most = self.schedule
            spec["schedules"] = [
                {
                    "name": "evening",
                    "timezone": "UTC",
                    "startTime": _clock(start),
                    "endTime": _clock(end),
                    "minReplicas": least,
                    "maxReplicas": most,
                }
            ]
        if self.has_behavior:
            spec["behavior"] = {
                "scaleUp": {"policies": [{"type": "Percent", "value": 400, "periodSeconds": 15}]},
                "scaleDown": {"stabilizationWindowSeconds": int(self.stabilization)},
            }
        if self.strategy == "KPA":
            # A panic window that holds no reading says nothing.
            spec["panicWindowSeconds"] = int(max(self.window // 3, 2 * self.interval))
        return {
            "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
            "kind": "PodAutoscaler",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }

    def _source(self, metric: str, target: float) -> Object:
        source: Object = {
            "metricSourceType": "pod",
            "protocolType": "https" if self.over_tls else "http",
            "port": "8000",
            "path": "/metrics",
            "targetMetric": metric,
            "targetValue": f"{target:g}",
            "intervalSeconds": int(self.interval),
        }
        if self.token:
            source["auth"] = {"bearerTokenSecretRef": {"name": "pages", "key": "token"}}
        if self.over_tls:
            source["tls"] = {"caSecretRef": {"name": "pages", "key": "authority"}, "serverName": "pages.example"}
        return source

    def _gateway(self) -> Object:
        return {
            "metricSourceType": "external",
            "protocolType": "http",
            "endpoint": GATEWAY,
            "path": f"/{self.namespace}/{self.workload}",
            "targetMetric": "waiting",
            "targetValue": f"{self.target:g}",
            "intervalSeconds": int(self.interval),
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is settled at the start."""

    controllers: int
    shards: int
    lease: Lease
    plans: tuple[Plan, ...]
    faults_every: float
    """Seconds between two faults, on average."""
    page: int
    """Objects in one answer to a list."""
    keep_every: float
    """Seconds between two times that memories are kept; 0 for never."""


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def draw(rng: random.Random) -> Scenario:
    """A world."""
    plans = [_plan(rng, number) for number in range(rng.choice((1, 1, 1, 1, 2)))]
    if rng.random() < 0.1:
        rival = _plan(rng, 9)
        rival.namespace, rival.workload, rival.token = plans[0].namespace, plans[0].workload, plans[0].token
        rival.over_tls = plans[0].over_tls
        for plan in (plans[0], rival):
            # The zero of one would be somebody else's to the other, and so be left alone.
            plan.wakes, plan.minimum = False, max(1, plan.minimum)
        plans.append(rival)
    return Scenario(
        controllers=rng.choice((1, 2, 2, 2, 2, 3)),
        shards=rng.choice((1, 1, 1, 1, 2)),
        lease=rng.choice(LEASES),
        plans=tuple(plans),
        faults_every=rng.choice((40.0, 80.0, 160.0, 400.0)),
        page=rng.choice((500, 500, 2)),
        keep_every=rng.choice((0.0, 15.0, 60.0, 120.0, 120.0, 240.0)),
    )


def _plan(rng: random.Random, number: int) -> Plan:
    strategy = rng.choice(("KPA", "HPA", "APA"))
    interval = rng.choice((15.0, 30.0, 45.0, 60.0, 60.0, 90.0)) if rng.random() > 0.01 else 2.0
    minimum = rng.choice((1, 1, 2, 3))
    has_behavior = rng.random() < 0.7
    wakes = rng.random() < 0.12
    if wakes:
        minimum = 0
    schedule = None
    if rng.random() < 0.12:
        # Over before the quiet at the end, whatever is drawn, by a clock that is right.
        start, least = 22 * 60 + rng.randint(15, 25), rng.choice((1, 3, 4))
        schedule = (start, start + rng.randint(3, 12), least, least + rng.choice((0, 2, 6)))
    return Plan(
        namespace=f"team-{number % 2}",
        name=f"scaler-{number}",
        workload=f"web-{number}",
        strategy=strategy,
        interval=interval,
        minimum=minimum,
        maximum=minimum + rng.choice((1, 3, 6, 9)),
        target=rng.choice((1.0, 10.0, 50.0)),
        window=max(rng.choice((60.0, 120.0, 180.0)), 3 * interval),
        stabilization=rng.choice((60.0, 120.0, 300.0)) if has_behavior else 300.0,
        has_behavior=has_behavior,
        second=rng.choice((0.0, 0.0, 0.0, 5.0)),
        token=rng.random() < 0.15,
        over_tls=rng.random() < 0.1,
        wakes=wakes,
        schedule=schedule,
    )
