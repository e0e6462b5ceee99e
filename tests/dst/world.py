"""One seed: a cluster, controllers, a plan of faults, and a checker. `run` gives its history or what was violated."""

import asyncio
import contextlib
import gc
import hashlib
import logging
import random
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from podtide.aio.clock import Clock
from podtide.api import decode
from podtide.api.settings import Cluster as ClusterSettings
from podtide.api.settings import Ownership, Settings
from podtide.control import ownership
from podtide.control.app import App, Job
from podtide.control.report import Reports
from podtide.core import shards
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.spec import AutoscalerSpec
from podtide.kube import client as kube_client
from podtide.sources import registry
from podtide.sources.pool import Pool
from podtide.telemetry.meters import Meters
from tests.dst import reality
from tests.dst.apiserver import Server, Stored
from tests.dst.checker import Checker, Violated
from tests.dst.loop import CURRENT, Loop, Process
from tests.dst.network import Api, Network
from tests.dst.scenario import EPOCH, Plan, Scenario, draw
from tests.dst.workloads import Cluster, current

LEASES = "podtide-system"
STATUS_NEEDS_LEASE = True
_MOMENTS = frozenset({"at", "lastTransitionTime", "steps"})


@dataclass(slots=True)
class Outcome:
    """What came of one seed."""

    seed: int
    violation: str = ""
    digest: str = ""
    history: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """Faults by kind, and what was done."""
    hours: float = 0.0


class SimApp(App):
    """The application, with a slower heartbeat: nobody probes it here."""

    async def _beat(self, feed: Any, informers: Any) -> None:
        await asyncio.Event().wait()


@dataclass(slots=True)
class Word:
    """A status or an event that was sent."""

    at: float
    subject: str
    said: int
    """A digest of it, without its moments."""


@dataclass(eq=False, slots=True)
class Controller:
    """One place where a controller runs, and the process that runs there now."""

    name: str
    process: Process | None = None
    app: App | None = None
    task: "asyncio.Task[None] | None" = None


class World:
    """Everything that there is for one seed."""

    def __init__(self, seed: int, *, hours: float, keep: bool) -> None:
        """`keep`: write the history down in full, not only its digest."""
        self.seed = seed
        self.rng = random.Random(seed)
        self.loop = Loop()
        self.duration = 3600.0 * hours
        self.scenario: Scenario = draw(self.rng)
        self.checker = Checker(lambda: self.loop.now)
        self.server = Server(lambda: self.loop.now, stamp, page=self.scenario.page)
        self.network = Network(self.loop, self.server, random.Random(seed + 1), sent=self._sent, arrived=self._arrived)
        self.network.read_list = self.checker.read_list
        self.network.read_events = self.checker.read_events
        self.cluster = Cluster(self.loop, self.server, random.Random(seed + 2), stamp)
        self.cluster.asked = lambda process, pod, ask: self.judge(lambda: self.checker.asked(process, pod, ask))
        self.checker.is_kept = self.scenario.keep_every > 0
        self.pools: dict[Process, Pool] = {}
        self.reports: dict[Process, Reports] = {}
        self.cluster.told = self.checker.answered
        self.cluster.heard = self.checker.heard
        self.cluster.cut = self.network.cut
        self.cluster.leaked = lambda text: self.judge(lambda: _fail(text))
        self.chance = random.Random(seed + 3)
        """What the controllers draw."""
        self.plans: dict[str, Plan] = {}
        self.controllers: list[Controller] = []
        self.graveyard: list[tuple[Process, App, asyncio.Task[None]]] = []
        self.history: list[str] = []
        self.errors: list[str] = []
        self._holders: dict[str, str] = {}
        self._keep = keep
        self._digest = hashlib.sha256()
        self._names = 0
        self.words: dict[str, list[Word]] = {}
        """When statuses and events were sent, and of what: by the last part of the path."""
        self.server.listeners.append(self._changed)
        self.checker.holder = self._holder

    # --- history -----------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """One line of the history."""
        line = f"{self.loop.now:10.3f} {text}"
        self._digest.update(line.encode())
        if self._keep:
            self.history.append(line)

    # --- controllers -------------------------------------------------------------------------------------------------

    def start(self, controller: Controller) -> None:
        """Start a controller process."""
        self._names += 1
        process = Process(f"{controller.name}.{self._names}")
        process.skew = process.offset = controller.process.skew if controller.process is not None else 0.0
        controller.process = process
        lease = self.scenario.lease
        settings = Settings(
            cluster=ClusterSettings(qps=50.0, burst=100),
            ownership=Ownership(
                shards=self.scenario.shards,
                lease_namespace=LEASES,
                identity=process.name,
                lease_duration=lease.duration,
                renew_deadline=lease.deadline,
                retry_period=lease.retry,
                keep_state=self.scenario.keep_every > 0,
                keep_every=self.scenario.keep_every or 15.0,
            ),
        )
        context = self.loop.world.copy()
        context.run(CURRENT.set, process)
        controller.app, controller.task = context.run(self._launch, process, settings)
        self.note(f"{process} starts")
        self._idle()

    def _launch(self, process: Process, settings: Settings) -> tuple[App, "asyncio.Task[None]"]:
        app = SimApp(Job(settings), clock=Clock(), meters=Meters())
        app._rng = random.Random(self.chance.getrandbits(64))
        client = kube_client.Client(
            types.SimpleNamespace(host="https://api.example"),  # only the host is read
            qps=settings.cluster.qps,
            burst=settings.cluster.burst,
        )
        task = self.loop.create_task(self._serve(app, client), name=f"{process}")
        task.add_done_callback(lambda ended: self._ended(process, ended))
        return app, task

    def _ended(self, process: Process, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self.judge(lambda: _fail(f"{process} has ended with {task.exception()!r}"))

    async def _serve(self, app: App, client: kube_client.Client) -> None:
        async with client:
            await app.work(client)

    def crash(self, controller: Controller) -> None:
        """Kill a controller's process where it stands."""
        process = controller.process
        if process is None or controller.app is None or controller.task is None or process.is_dead:
            return
        if process.is_stopped:
            self.loop.resume(process)
        self.note(f"{process} crashes")
        self.loop.kill(process)
        self.graveyard.append((process, controller.app, controller.task))
        controller.app = controller.task = None

    def alive(self) -> list[Controller]:
        """Those that run."""
        return [each for each in self.controllers if each.task is not None]

    # --- what the server sees ----------------------------------------------------------------------------------------

    def _holder(self, uid: str) -> str:
        number = shards.shard(uid, self.scenario.shards) if self.scenario.shards > 1 else 0
        name = "podtide" if self.scenario.shards == 1 else f"podtide-{number}"
        lease = self.server.get("leases", LEASES, name)
        return str((lease or {}).get("spec", {}).get("holderIdentity") or "")

    def _sent(self, process: Process, method: str, path: str, body: Any, data: bytes) -> None:
        if process.is_dead:
            return
        if b"s3cret" in data:
            self.judge(lambda: _fail(f"{process} writes a secret into {path}"))
        if path.endswith(("/status", "/events")):
            is_status = path.endswith("/status")
            subject = path.split("/")[-2] if is_status else body["regarding"]["name"]
            said = [each["value"] for each in body if each["path"].startswith("/status")] if is_status else body
            word = Word(self.loop.now, subject, hash(str(timeless(said))))
            self.words.setdefault(path.rpartition("/")[2], []).append(word)
        if path.endswith("/scale"):
            key, workload = self._about(path)
            version = body["metadata"].get("resourceVersion")
            self.note(f"{process} sends {body['spec']['replicas']} for {workload} at {version}")
            self.judge(lambda: self.checker.sends(process, key, workload, body))
        elif path.endswith("/status"):
            name = path.split("/")[-2]
            # It is refused of any other object of this name, whose shard may be another's.
            (uid,) = (each["value"] for each in body if each["path"] == "/metadata/uid")
            holder = self._holder(uid)
            if holder != process.name and STATUS_NEEDS_LEASE:
                self.judge(
                    lambda: _fail(f"{process} writes the status of {name} while {holder or 'nobody'} holds the lease")
                )

    def _arrived(
        self, process: Process, method: str, path: str, body: Mapping[str, Any], sent: float
    ) -> Callable[[int], None] | None:
        if not path.endswith("/scale"):
            return None
        key, workload = self._key_of.pop((process, path, sent), ("", ""))
        inner = self.checker.arrives(process, key, workload, body, sent)

        def answered(code: int) -> None:
            self.note(f"{process} patched {workload} to {body['spec']['replicas']}: {code}")
            self.judge(lambda: inner(code))

        return answered

    _key_of: dict[tuple[Process, str, float], tuple[str, str]]

    def _about(self, path: str) -> tuple[str, str]:
        parts = path.split("/")
        workload = f"{parts[-4]}/{parts[-2]}"
        task = asyncio.current_task()
        key = task.get_name().removeprefix("autoscaler ") if task is not None else ""
        self._key_of[current(), path, self.loop.now] = key, workload
        return key, workload

    def _changed(self, resource: str, kind: str, stored: Stored) -> None:
        metadata = stored.body["metadata"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        if resource == "deployments" and kind != "DELETED":
            self.checker.counted(key, stored.body["spec"].get("replicas", 1))
        elif resource == "podautoscalers":
            if kind == "DELETED":
                self.checker.subjects[key].deleted = self.loop.now
                return
            subject = self.checker.subjects.get(key)
            generation = metadata["generation"]
            if subject is None or subject.uid != metadata["uid"] or subject.versions[-1].generation != generation:
                decoded = decode.autoscaler(stored.body, Settings())
                if decoded.spec is None:
                    raise ValueError(f"the scenario has a bad spec: {decoded.problems}")
                workload = f"{metadata['namespace']}/{stored.body['spec']['scaleTargetRef']['name']}"
                self.checker.edited(key, workload, metadata["uid"], generation, decoded.spec)
        elif resource == "leases":
            holder = stored.body["spec"].get("holderIdentity") or "nobody"
            if self._holders.get(metadata["name"]) != holder:
                self._holders[metadata["name"]] = holder
                self.note(f"lease {metadata['name']}: {holder}")
                self._idle()
        elif resource == "events":
            reason, note = str(stored.body.get("reason")), str(stored.body.get("note"))
            self.note(f"event {reason}: {note}")
            if reason == "SuccessfulRescale":
                regarding = stored.body["regarding"]
                about = f"{regarding['namespace']}/{regarding['name']}"
                self.judge(lambda: self.checker.announces(about, int(note.removeprefix("New size: ").split(";")[0])))

    def _idle(self) -> None:
        """Who holds no Lease, and since when."""
        holders = set(self._holders.values())
        for controller in self.controllers:
            name = controller.process.name if controller.process is not None else ""
            if name in holders:
                self.checker.idle.pop(name, None)
            else:
                self.checker.forget(name)

    def resume(self, process: Process) -> None:
        """Let a stopped process go on: what it has to do by now it begins with now."""
        self.loop.resume(process)
        if process.name in self.checker.idle:
            self.checker.idle[process.name] = self.loop.now

    def judge(self, check: Callable[[], object]) -> None:
        """Keep what is violated; an exception here would be the controller's to swallow."""
        try:
            check()
        except Violated as violated:
            self.errors.append(f"{self.loop.now:.3f}: {violated}")
            self.loop.stop()

    # --- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """The whole of it."""
        from tests.dst.faults import Faults  # here, since faults act on a world

        self._key_of = {}
        outcome = Outcome(self.seed, hours=self.duration / 3600.0)
        faults = Faults(self, random.Random(self.seed + 4))

        def wall() -> float:
            return EPOCH + self.loop.now + _skew()

        with contextlib.ExitStack() as stack:
            stack.enter_context(reality.replaced(monotonic=self.loop.time, wall=wall, rng=self.chance))
            stack.enter_context(self._wired())
            stack.enter_context(_listening(self.errors, self.loop))
            try:
                self.loop.run_until_complete(self.loop.create_task(faults.play()))
            except RuntimeError as error:
                if not self.errors:
                    self.errors.append(f"{self.loop.now:.3f}: {error!r}")
            except Violated as violated:
                self.errors.append(f"{self.loop.now:.3f}: {violated}")
            except Exception:  # the world's own mistake, or a controller's that ended it
                self.errors.append(f"{self.loop.now:.3f}: {traceback.format_exc()}")
            finally:
                # What goes wrong while the world is torn down is nobody's mistake.
                outcome.violation = self.errors[0] if self.errors else ""
                self._clean_up()
        outcome.history = self.history
        outcome.digest = self._digest.hexdigest()
        outcome.counts = {**faults.counts, **self.network.faults, **self.cluster.faults}
        outcome.counts |= {
            "= decisions": self.checker.decisions,
            "= patches": self.checker.patches,
            "= shrinks": self.checker.shrinks,
            "= patches that arrived after their lease": self.checker.late,
            "= requests": self.network.requests,
            "= scrapes": self.cluster.scrapes,
            "= steps": self.loop.steps,
        }
        return outcome

    @contextlib.contextmanager
    def _wired(self) -> Iterator[None]:
        """The product's edges are ours."""
        published, resumed = Reports.publish, Memory.resume
        world = self

        def publish(reports: Reports, spec: AutoscalerSpec, decision: Decision, applied: Applied) -> None:
            process = current()
            world.reports[process] = reports
            world.note(
                f"{process} {decision.key}: {decision.current} -> {decision.desired} "
                f"{decision.reason} {applied.outcome}"
            )
            world.judge(lambda: world.checker.publishes(process, decision, applied, spec))
            published(reports, spec, decision, applied)

        def resume(memory: Memory) -> Memory:
            world.checker.begins_anew(current().name)
            return resumed(memory)

        with contextlib.ExitStack() as stack:
            patch = stack.enter_context
            patch(mock.patch.object(kube_client.kubernetes_client, "ApiClient", lambda _: Api(self.network, current())))
            patch(mock.patch.object(registry.engine, "Engine", lambda _: self.cluster.carrier(current())))
            patch(mock.patch.object(registry.http, "Client", lambda *_, **__: self.cluster.outside(current())))
            patch(mock.patch.object(Reports, "publish", publish))
            patch(mock.patch.object(registry.pool, "Pool", self._pool))
            patch(mock.patch.object(Memory, "resume", resume))
            # A replica looks round more rarely than it does in earnest, as it renews its Leases more rarely.
            patch(mock.patch.object(ownership, "LOOK", min(ownership.LOOK * 10, self.scenario.lease.retry)))
            yield

    def _pool(self, *args: Any, **options: Any) -> Pool:
        made = self.pools[current()] = Pool(*args, **options)
        return made

    def _clean_up(self) -> None:
        """End what still runs, without a word to the world."""
        loop = self.loop
        self.network.weather.is_down = True
        for process, _, _ in self.graveyard:
            loop.bury(process)
        for controller in self.controllers:
            if controller.process is not None and controller.process.is_stopped:
                loop.resume(controller.process)
        for _ in range(50):
            tasks = asyncio.all_tasks(loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            with contextlib.suppress(RuntimeError):
                loop.run_until_complete(asyncio.wait(tasks, timeout=100.0))
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _skew() -> float:
    process = CURRENT.get()
    return process.skew if process is not None else 0.0


def _fail(text: str) -> None:
    raise Violated(text)


def stamp(at: float) -> str:
    """The world's time as Kubernetes writes it."""
    return datetime.fromtimestamp(EPOCH + at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Ear(logging.Handler):
    """Hears of crashes."""

    def __init__(self, errors: list[str], loop: Loop) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._errors.append(f"{self._loop.now:.3f}: logged: {text}")
        self._loop.stop()


@contextlib.contextmanager
def _listening(errors: list[str], loop: Loop) -> Iterator[None]:
    logger = logging.getLogger("podtide")
    ear = _Ear(errors, loop)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(ear)
    logger.setLevel(logging.ERROR)
    logger.propagate = False

    def unhandled(_: object, context: dict[str, Any]) -> None:
        errors.append(f"{loop.now:.3f}: {context.get('message')}: {context.get('exception')!r}")
        loop.stop()

    loop.set_exception_handler(unhandled)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = propagate


def timeless(value: object) -> object:
    """Decisions and conditions without their moments and steps, for which alone no status is written anew.

    An answer that was lost, or another owner, leaves others than are believed.
    """
    if isinstance(value, list):
        return [timeless(each) for each in value]
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if name not in _MOMENTS}
    return value


def run(seed: int, *, hours: float = 1.0, keep: bool = False) -> Outcome:
    """Run one seed."""
    was_enabled = gc.isenabled()
    # What is collected when must not depend on what this process did before.
    gc.disable()
    try:
        with warnings.catch_warnings():
            # A world that is torn down in mid-flight has coroutines that nobody awaits.
            warnings.simplefilter("ignore", RuntimeWarning)
            outcome = World(seed, hours=hours, keep=keep).run()
            gc.collect()
        return outcome
    finally:
        if was_enabled:
            gc.enable()
