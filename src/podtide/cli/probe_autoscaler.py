"""`podtide probe --autoscaler`: every metric of a PodAutoscaler, of every pod, read as the controller would."""

import argparse
import asyncio
import json
import math
import random
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from podtide.cli import found

if TYPE_CHECKING:
    from podtide.core.model.spec import AutoscalerSpec, Formula, MetricSpec
    from podtide.core.model.view import TargetView
    from podtide.kube.client import Client
    from podtide.net.prepare import Defaults
    from podtide.sources.probe import Found
    from podtide.sources.registry import Sources

_SYNC = 15.0
"""Seconds to wait for the first lists of pods and their owners."""


async def run(arguments: argparse.Namespace, defaults: "Defaults") -> int:
    """Print every metric; 1 where any has no value, or the object or its target is not usable."""
    from podtide.api import decode
    from podtide.kube import config, errors, remedies, resources
    from podtide.kube.client import Client

    configuration = await config.load(arguments.kubeconfig, arguments.context)
    async with Client(configuration, user_agent="podtide probe") as client:
        try:
            manifest = await client.get(
                resources.AUTOSCALERS, arguments.namespace, arguments.autoscaler, into=dict[str, Any]
            )
        except errors.NotFound as error:
            print(f"podtide: {remedies.advised(error, resources.AUTOSCALERS)}", file=sys.stderr)
            return 1
        decoded = decode.autoscaler(manifest)
        for problem in (*decoded.problems, *decoded.warnings):
            print(f"{decoded.key}: {problem}", file=sys.stderr)
        if decoded.spec is None:
            return 1
        view = await _view(client, decoded.spec)
        if view.failure is not None:
            print(f"podtide: {decoded.spec.target}: {view.failure}", file=sys.stderr)
            return 1
        async with _sources(client, defaults, arguments.timeout) as sources:
            seen = await _metrics(decoded.spec, view, client, sources, defaults, arguments.metric)
    if arguments.json:
        shown = {metric: [found.as_object(one) for one in each] for metric, each in seen.items()}
        print(json.dumps({"autoscaler": str(decoded.key), "target": str(decoded.spec.target), "metrics": shown}))
    else:
        _print(decoded.spec, view, seen)
    return 0 if seen and all(found.has_value(one) for each in seen.values() for one in each) else 1


async def _view(client: "Client", spec: "AutoscalerSpec") -> "TargetView":
    """The target and its pods, as the controller sees them."""
    from podtide.aio.clock import Clock
    from podtide.kube.informers import Informers
    from podtide.targets.registry import Targets

    clock = Clock()
    async with asyncio.TaskGroup() as group:
        informers = Informers(client, group, namespaces=(spec.key.namespace,))
        target = Targets(informers).for_spec(spec)
        view = await target.view(clock.now())
        deadline = clock.now() + _SYNC
        while not informers.synced() and clock.now() < deadline:
            await clock.sleep(0.05)
        view = await target.view(clock.now())
        informers.stop()
    return view


@asynccontextmanager
async def _sources(client: "Client", defaults: "Defaults", timeout: float) -> AsyncIterator["Sources"]:
    from podtide.kube.secrets import Secrets
    from podtide.sources.registry import Options, Sources

    # Somebody at a terminal may look wherever their machine can; the controller itself may not.
    options = Options(defaults=defaults, timeout=timeout, allowed_endpoints=("0.0.0.0/0", "::/0"))
    sources = Sources(Secrets(client), options, rng=random.Random())  # noqa: S311  (jitter)
    sources.ask(client)
    looking = asyncio.create_task(sources.run(), name="credentials")
    try:
        yield sources
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await sources.aclose()


async def _metrics(
    spec: "AutoscalerSpec",
    view: "TargetView",
    client: "Client",
    sources: "Sources",
    defaults: "Defaults",
    only: str | None,
) -> Mapping[str, list["Found"]]:
    from podtide.core.model.spec import Endpoint, Formula, PodPage, Query
    from podtide.kube.secrets import Secrets
    from podtide.sources import probe, probe_urls

    seen: dict[str, list[Found]] = {}
    for metric in spec.metrics:
        if isinstance(metric.source, Formula):
            seen[metric.id] = [_formula(spec, metric, metric.source, seen)]
        elif isinstance(metric.source, PodPage):
            wanted = probe.Wanted(metric.select, metric.derive)
            looks = (
                probe.pod(pod, spec.key.namespace, metric.source, wanted, Secrets(client), defaults)
                for pod in view.pods
                if pod.is_ready
            )
            seen[metric.id] = list(await asyncio.gather(*looks))
        elif isinstance(metric.source, Endpoint | Query):
            secrets = Secrets(client)
            seen[metric.id] = [await probe_urls.look(spec.key.namespace, metric, metric.source, secrets, defaults)]
        else:
            seen[metric.id] = await _read(spec, metric, view, sources)
    return {id_: each for id_, each in seen.items() if only is None or only in id_}


async def _read(spec: "AutoscalerSpec", metric: "MetricSpec", view: "TargetView", sources: "Sources") -> list["Found"]:
    """One reading of a metrics API."""
    from podtide.aio.mailbox import Mailbox
    from podtide.core.model.reading import Failure, Reading, Reason
    from podtide.sources.probe import Found

    mailbox: Mailbox[Reading] = Mailbox()
    subscription = sources.subscribe(spec, metric, mailbox)
    subscription.update(view)
    await mailbox.wake.wait()
    subscription.close()
    reading = mailbox.drain()[0]
    named = {pod.uid: pod.name for pod in view.pods}
    facts = {"source": _described(metric)}
    if reading.failure is not None:
        return [Found(metric.select.metric, reading.failure, facts=facts)]
    if reading.total is not None:
        return [Found(metric.select.metric, reading.total, facts=facts)]
    by_pod: Mapping[str, float | Failure] = {**reading.failures, **reading.values}
    if not by_pod:
        return [Found(metric.select.metric, Failure(Reason.NO_DATA, "there is nothing to read it of"), facts=facts)]
    return [Found(metric.select.metric, value, facts=facts, pod=named.get(uid, uid)) for uid, value in by_pod.items()]


def _described(metric: "MetricSpec") -> str:
    from podtide.core.model.spec import Custom, External, Resource

    match metric.source:
        case Resource(name, container):
            return f"metrics.k8s.io, {name}" + (f" of container {container}" if container else "")
        case Custom(_, None):
            return "custom.metrics.k8s.io, of pods"
        case Custom(_, described):
            return f"custom.metrics.k8s.io, of {described.kind} {described.name}" if described else ""
        case External(_, selector):
            return "external.metrics.k8s.io" + (f", {selector}" if selector else "")
        case _:
            return ""


def _formula(
    spec: "AutoscalerSpec", metric: "MetricSpec", source: "Formula", seen: Mapping[str, list["Found"]]
) -> "Found":
    """The formula of what has just been seen; the value of a source of pods is that of the pods that answered."""
    from podtide.core import derive, formula
    from podtide.core.model.reading import Failure, Reason
    from podtide.sources.probe import Found

    values: dict[str, float] = {}
    grows = {each.id for each in spec.metrics if derive.is_derived(each.derive)}
    for name, id_ in source.inputs:
        if id_ in grows:
            return Found(
                metric.id, Failure(Reason.NO_HISTORY, f"{name} is derived over time, which one look cannot do")
            )
        numbers = [one.value for one in seen[id_] if not isinstance(one.value, Failure)]
        if not numbers:
            return Found(metric.id, Failure(Reason.NO_DATA, f"{name} has no value"))
        # As in the engine: the pods that answered stand for those that did not.
        values[name] = math.fsum(numbers) / len(numbers) * len(seen[id_])
    facts = {"formula": source.expression, "with": ", ".join(f"{name} {value:g}" for name, value in values.items())}
    return Found(metric.id, formula.value(formula.parse(source.expression), values), facts=facts)


def _print(spec: "AutoscalerSpec", view: "TargetView", seen: Mapping[str, list["Found"]]) -> None:
    ready = sum(pod.is_ready for pod in view.pods)
    print(f"{spec.key}: {spec.target}, {view.replicas} replicas, {len(view.pods)} pods, {ready} ready")
    for metric, each in seen.items():
        print(f"\n{metric}")
        if not each:
            print("  no pod is ready, so there is none to ask")
        for one in each:
            print(f"  pod {one.pod}" if one.pod else "  the whole workload")
            print("\n".join(found.lines(one, "    ")))
