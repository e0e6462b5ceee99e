"""The plan of one seed: first the setting up, then faults drawn one after the other, then quiet, then the reckoning."""

import asyncio
import base64
import json
import math
import random
from collections.abc import Callable
from typing import Any

import prometheus_client

from podtide.core.model.spec import Key, Kpa
from tests.dst.authorities import AUTHORITIES
from tests.dst.checker import Violated, in_force
from tests.dst.loop import CURRENT
from tests.dst.scenario import Plan
from tests.dst.workloads import TROUBLES, Workload
from tests.dst.world import Controller, World, timeless

QUIET = 400.0
"""Seconds for everything that backs off to come back, before stabilisation and windows are counted."""


class Faults:
    """What happens, and when."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.counts: dict[str, int] = {}
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._is_quiet = False
        self._by_hand: set[str] = set()
        """Workloads that somebody has ever scaled to zero."""
        self._told_authority = 0
        """Whom the Secrets name."""
        self._kinds: tuple[tuple[float, str, Callable[[], None]], ...] = (
            (6, "load", self.load),
            (4, "pod trouble", self.pod_trouble),
            (2, "pod killed", self.pod_killed),
            (1, "pods that do not start", self.stuck),
            (1, "rollout", self.rollout),
            (1, "api slow", self.slow),
            (1, "requests lost", self.lost),
            (1, "answers lost", self.unanswered),
            (2, "requests refused", self.refused),
            (2, "watches cut", self.watches_cut),
            (1, "watch dead", self.watch_dead),
            (1, "history compacted", self.compacted),
            (1, "events lost", self.events_lost),
            (1, "api restarted", self.restart),
            (2, "partition", self.partition),
            (2, "process paused", self.pause),
            (2, "process crashed", self.crash),
            (1, "process replaced", self.replace),
            (1, "wall clock stepped", self.skew),
            (1, "replicas edited", self.manual),
            (1, "spec edited", self.edit),
            (0.5, "autoscaler made anew", self.recreate),
            (0.5, "token rotated", self.rotate),
            # Two things that must not come together, so that chance alone would take long to bring them about.
            (0.5, "load gone and nobody answers", self.silence),
            (0.5, "load gone and one metric missing", self.one_metric),
            (0.5, "load gone and controller replaced", self.succession),
            (0.5, "burst", self.burst),
            (0.5, "paused past the lease while load changes", self.oversleep),
        )

    async def play(self) -> None:
        """From the first moment to the last check."""
        world, rng = self.world, self.rng
        self._set_up()
        plans = world.scenario.plans
        end = world.duration - self._quiet()
        if any(plan.wakes for plan in plans):
            self._kinds += ((1.5, "gateway trouble", self.gateway),)
        if any(plan.over_tls for plan in plans):
            self._kinds += ((1.5, "authority replaced", self.authority),)
        weights = [weight for weight, _, _ in self._kinds]
        loop = world.loop
        while True:
            await asyncio.sleep(rng.expovariate(1 / world.scenario.faults_every))
            if loop.now >= end:
                break
            _, name, strike = rng.choices(self._kinds, weights)[0]
            self._count(name)
            world.note(f"* {name}")
            strike()
        self._heal()
        # What was edited meanwhile may settle more slowly.
        await asyncio.sleep(self._quiet() - 150.0)
        before = dict(world.checker.last_patch)
        await asyncio.sleep(150.0)
        self._has_settled(before)
        self._is_silent()
        self._reads_what_it_needs()
        await self._forgets()
        await self._say_goodbye()

    def _quiet(self) -> float:
        """Seconds for everything to settle in."""
        return max((QUIET + _settling(plan) for plan in self.world.scenario.plans), default=QUIET)

    def _set_up(self) -> None:
        world = self.world
        scenario = world.scenario
        for namespace in ("team-0", "team-1"):
            world.server.create("secrets", namespace, self._secret(namespace))
        for plan in scenario.plans:
            key = (plan.namespace, plan.workload)
            if key not in world.cluster.workloads:
                low = world.rng.choice((1.0, 5.0, 30.0))
                workload = Workload(plan.namespace, plan.workload, (low, low * 2))
                workload.wants_token, workload.over_tls = plan.token, plan.over_tls
                workload.load = {"queue": _load(world.rng, plan.target, plan.maximum), "other": 0.0}
                if plan.second:
                    workload.load["other"] = _load(world.rng, plan.second, plan.maximum)
                world.cluster.add(workload, world.rng.randint(plan.minimum, plan.maximum))
            world.server.create("podautoscalers", plan.namespace, plan.manifest())
            world.plans[f"{plan.namespace}/{plan.name}"] = plan
        for number in range(scenario.controllers):
            controller = Controller("abc"[number])
            world.controllers.append(controller)
            world.loop.later(world.rng.random() * 5.0, world.start, controller)
        self._bookmarks()

    def _bookmarks(self) -> None:
        self.world.server.bookmark()
        self.world.loop.later(60.0, self._bookmarks)

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _until(self, seconds: float, undo: Callable[[], None]) -> None:
        at = self.world.loop.now + seconds
        entry = (at, undo)
        self._ends.append(entry)

        def ended() -> None:
            if entry in self._ends:
                self._ends.remove(entry)
                undo()

        self.world.loop.later(seconds, ended)

    def _soon(self, seconds: float, strike: Callable[[], object]) -> None:
        """The second half of a fault, unless the time of faults is over by then."""
        self.world.loop.later(seconds, lambda: None if self._is_quiet else strike())

    def _heal(self) -> None:
        """Everything is well again, at once."""
        world = self.world
        world.note("* quiet")
        self._is_quiet = True
        for _, undo in tuple(self._ends):
            undo()
        self._ends.clear()
        for stream in tuple(world.network.streams):
            if stream.is_dead:
                stream.is_dead = False
                stream.cut(lossy=True)
        for workload in world.cluster.workloads.values():
            workload.gateway = ""
            for pod in workload.pods:
                pod.trouble = ""
        for controller in world.controllers:
            if controller.task is None:
                world.start(controller)
        for key, plan in world.plans.items():
            if plan.mode != "Active":
                plan.mode = "Active"
                self._apply(key, plan)

    # --- the reckoning -----------------------------------------------------------------------------------------------

    def _has_settled(self, before: dict[str, float]) -> None:
        world, loop_now = self.world, self.world.loop.now
        if world.checker.last_patch != before:
            raise Violated(f"counts still move long after the last fault: {world.checker.last_patch}")
        for key, plan in world.plans.items():
            subject = world.checker.subjects[key]
            workload = world.cluster.workloads[plan.namespace, plan.workload]
            rivals = [
                other
                for other in world.checker.subjects.values()
                if other.workload == subject.workload and (other.created, other.uid) < (subject.created, subject.uid)
            ]
            if rivals or (workload.wanted == 0 and world.checker.may_sleep(subject)):
                continue
            spec = subject.versions[-1].spec
            needs = [workload.load["queue"] / plan.target]
            if plan.second:
                needs.append(workload.load["other"] / plan.second)
            if key not in world.checker.decided:
                raise Violated(f"{key}: nobody decides")
            process = world.checker.decided[key][2]
            least, most = in_force(process, spec, loop_now)[0]
            exact = max(least, min(most, math.ceil(max(needs) - 1e-9)))
            good = {exact}
            if not isinstance(spec.algorithm, Kpa):
                band = range(max(1, least), most + 1)
                good |= {count for count in band if abs(max(needs) / count - 1) <= 0.1001}
                # Kubernetes rounds what each pod has up to a thousandth, and asks for what that times the pods needs.
                good |= {count for count in band if _stays(count, workload.load["queue"], plan.target)}
                good |= {max(least, min(most, count)) for count in good}
            if workload.wanted not in good:
                raise Violated(f"{key} has settled at {workload.wanted}; its metrics ask for {sorted(good)}")
            self._is_told(key, workload)

    def _is_told(self, key: str, workload: Workload) -> None:
        """Status and metrics say what is."""
        world = self.world
        namespace, _, name = key.partition("/")
        body = world.server.get("podautoscalers", namespace, name) or {}
        status = body.get("status") or {}
        for field in ("desiredScale", "actualScale"):
            if status.get(field) != workload.wanted:
                raise Violated(f"{key}: status.{field} is {status.get(field)}, the workload has {workload.wanted}")
        conditions = {each["type"]: each for each in status.get("conditions") or ()}
        for kind in ("ScalingActive", "MetricsAvailable", "AbleToScale", "Ready"):
            found = conditions.get(kind, {})
            if found.get("status") != "True":
                why = f"{found.get('reason')}: {found.get('message')}"
                raise Violated(f"{key}: {kind} is {found.get('status')} though all has been well for long: {why}")
        decided = world.checker.decided.get(key)
        if decided is None:
            raise Violated(f"{key}: nobody decides")
        process = decided[2]
        app = next((each.app for each in world.controllers if each.process is process), None)
        if app is None:
            raise Violated(f"{key}: the last decision is {process}'s, which is gone")
        told = world.reports[process]._subjects.get(Key(namespace, name))
        wanted = json.loads(json.dumps(told.wanted)) if told is not None else None
        if status != wanted:
            names = {*status, *(wanted or ())}
            differing = [
                each for each in sorted(names) if timeless(status.get(each)) != timeless((wanted or {}).get(each))
            ]
            if differing and not (_MEASURED.issuperset(differing) and _is_noise(status, wanted or {})):
                raise Violated(f"{key}: the status as stored is not the one that was told: {differing}")
        labels = {"namespace": namespace, "name": name}
        shown = app.meters.registry.get_sample_value("podtide_autoscaler_desired_replicas", labels)
        if shown != workload.wanted:
            raise Violated(f"{key}: the exported desired replicas are {shown}, the workload has {workload.wanted}")

    def _is_silent(self) -> None:
        """Where nothing changes, nothing is told."""
        world = self.world
        late = world.loop.now - 150.0
        for what, words in world.words.items():
            said = {word.said for word in words if word.at <= late}
            recent = [word for word in words if word.at > late]
            # A reason may still change, once: when what was recommended before the last step down has aged.
            is_news = what == "status" and len({word.subject for word in recent}) == len(recent)
            if recent and not (is_news and all(word.said not in said for word in recent)):
                raise Violated(
                    f"{len(recent)} {what} are sent of {recent[0].subject} though nothing has changed for long"
                )

    async def _forgets(self) -> None:
        """Of an autoscaler that is deleted nothing is left in any replica."""
        world = self.world
        for plan in world.plans.values():
            world.server.delete("podautoscalers", plan.namespace, plan.name)
        await asyncio.sleep(100.0)
        for controller in world.alive():
            if controller.process is None or controller.app is None:
                continue
            pool, reports = world.pools[controller.process], world.reports.get(controller.process)
            left: list[object] = [*pool._endpoints]
            left += reports._subjects if reports is not None else ()
            text = prometheus_client.generate_latest(controller.app.meters.registry).decode()
            names = {plan.name for plan in world.plans.values()}
            left += [line for line in text.splitlines() if any(f'"{name}"' in line for name in names)]
            if left:
                raise Violated(f"{controller.process} remembers what is deleted: {left[:3]}")
            if "s3cret" in text:
                raise Violated(f"{controller.process} exports a secret")

    def _reads_what_it_needs(self) -> None:
        """Every replica follows the pages that its own autoscalers need, once, and no others."""
        world = self.world
        for controller in world.alive():
            process = controller.process
            if process is None:
                continue
            needed = 0
            for key, plan in world.plans.items():
                if world._holder(world.checker.subjects[key].uid) == process.name:
                    needed += (2 if plan.second else 1) * len(
                        world.cluster.workloads[plan.namespace, plan.workload].ready()
                    )
            followed = sum(len(endpoint.followers) for endpoint in world.pools[process]._endpoints.values())
            if followed != needed:
                raise Violated(f"{process} follows {followed} pages where its autoscalers need {needed}")

    async def _say_goodbye(self) -> None:
        """Every controller ends in order and leaves nothing behind."""
        world, loop = self.world, self.world.loop
        for controller in world.alive():
            if controller.app is None or controller.task is None:
                continue
            controller.app.stop()
            done, _ = await asyncio.wait({controller.task}, timeout=60.0)
            if not done:
                raise Violated(f"{controller.process} does not end")
            controller.task.result()
            left = [task.get_name() for task in asyncio.all_tasks(loop) if _process_of(task) is controller.process]
            if left:
                raise Violated(f"{controller.process} leaves tasks behind: {left}")
            handles: list[Any] = [handle for _, _, handle in loop.timers]
            timers = [
                handle
                for handle in handles
                if not handle._cancelled and handle._context.get(CURRENT) is controller.process
            ]
            timers = [handle for handle in timers if "workloads" not in repr(handle._callback)]
            if timers:
                raise Violated(f"{controller.process} leaves timers behind: {timers[:3]}")
            streams = [stream for stream in world.network.streams if stream.process is controller.process]
            if streams:
                raise Violated(f"{controller.process} leaves {len(streams)} watches open")

    # --- the faults --------------------------------------------------------------------------------------------------

    def _workload(self) -> Workload:
        return self.rng.choice(list(self.world.cluster.workloads.values()))

    def load(self) -> None:
        """The load of a workload changes."""
        rng, workload = self.rng, self._workload()
        plan = next(plan for plan in self.world.plans.values() if plan.workload == workload.name)
        workload.load["queue"] = _load(rng, plan.target, plan.maximum)
        if plan.second:
            workload.load["other"] = _load(rng, plan.second, plan.maximum)
        if plan.wakes and rng.random() < 0.4:
            workload.load = dict.fromkeys(workload.load, 0.0)
        self.world.note(f"  {workload.name}: {workload.load}")

    def gateway(self) -> None:
        """What a gateway says of a workload is not what it should be."""
        workload = self._workload()
        workload.gateway = self.rng.choice(("dead", "hangs", "error", "garbage", "nan", "empty", "no metric", "zero"))
        self.world.note(f"  {workload.name}: {workload.gateway}")

        def undo() -> None:
            workload.gateway = ""

        self._until(self.rng.choice((40.0, 200.0, 600.0)), undo)

    def authority(self) -> None:
        """The pods show certificates of another authority from now on; the Secret says so before or after."""
        cluster = self.world.cluster
        lead = self.rng.choice((-20.0, 0.0, 60.0))
        if cluster.authority != self._told_authority:
            # The last one is still being replaced.
            return
        then = 1 - cluster.authority

        def shown() -> None:
            cluster.authority = then

        def told() -> None:
            for namespace in ("team-0", "team-1"):
                self.world.server.change("secrets", namespace, "pages", self._secret(namespace, then))

        self._until(max(0.0, lead), shown)
        self._until(max(0.0, -lead), told)

    def pod_trouble(self) -> None:
        """Some pods' pages are not what they should be."""
        rng, workload = self.rng, self._workload()
        trouble = rng.choice(TROUBLES)
        if not workload.pods:
            return
        share = rng.choice((0.0, 0.3, 0.6, 1.0))
        chosen = [pod for pod in workload.pods if rng.random() < share] or [rng.choice(workload.pods)]
        for pod in chosen:
            pod.trouble = trouble
        self.world.note(f"  {trouble}: {[pod.name for pod in chosen]}")

        def undo() -> None:
            for pod in chosen:
                pod.trouble = ""

        self._until(rng.choice((5.0, 40.0, 200.0, 600.0)), undo)

    def _falls(self, workload: Workload) -> float:
        """A workload's load is gone, now; the seconds in which its autoscaler looks twice."""
        plan = next(plan for plan in self.world.plans.values() if plan.workload == workload.name)
        workload.load["queue"] = plan.target * 0.5
        if plan.second:
            workload.load["other"] = plan.second * 0.5
        self.world.note(f"  {workload.name}: {workload.load}")
        return 2.2 * plan.interval

    def _all_have(self, workload: Workload, trouble: str, seconds: float) -> None:
        self.world.note(f"  {workload.name}: {trouble}")
        for pod in workload.pods:
            pod.trouble = trouble

        def undo() -> None:
            for pod in workload.pods:
                pod.trouble = ""

        self._until(seconds, undo)

    def silence(self) -> None:
        """A load falls, is seen to have fallen, and then no pod says anything until long after."""
        workload = self._workload()
        seen = self._falls(workload)
        self._soon(seen, lambda: self._all_have(workload, "hangs", 400.0))

    def one_metric(self) -> None:
        """A load falls in one metric; the other, which asks for more, is on no page any more."""
        workload = self._workload()
        plan = next(plan for plan in self.world.plans.values() if plan.workload == workload.name)
        if plan.second:
            workload.load["other"] = plan.second * plan.maximum
            workload.load["queue"] = plan.target * 0.5
            self.world.note(f"  {workload.name}: {workload.load}")
            self._soon(4.2 * plan.interval, lambda: self._all_have(workload, "half", 400.0))

    def succession(self) -> None:
        """A load falls, and before it has been low for long the controllers are replaced or crash."""
        seen = self._falls(self._workload())
        self._soon(seen * self.rng.random(), self.rng.choice((self.replace, self.crash)))

    def burst(self) -> None:
        """A load that is gone before anything could be done about it."""
        workload = self._workload()
        plan = next(plan for plan in self.world.plans.values() if plan.workload == workload.name)
        workload.load["queue"] = plan.target * plan.maximum
        self.world.note(f"  {workload.name}: {workload.load}")
        self._soon(1.5 * plan.interval, lambda: self._falls(workload))

    def oversleep(self) -> None:
        """Whoever holds a Lease sleeps until another has it; the load is another one then."""
        holders = [each for each in self.world.alive() if each.process is not None and not each.process.is_stopped]
        if not holders:
            return
        process = self.rng.choice(holders).process
        if process is None:
            return
        loop = self.world.loop
        loop.stop_process(process)
        self.world.note(f"  {process}")
        self.load()

        def undo() -> None:
            if process.is_stopped:
                self.world.resume(process)

        self._until(self.world.scenario.lease.duration * 1.5 + 5.0, undo)

    def pod_killed(self) -> None:
        """A pod dies, or all do."""
        workload = self._workload()
        if workload.pods:
            for pod in list(workload.pods) if self.rng.random() < 0.15 else [self.rng.choice(workload.pods)]:
                self.world.cluster.kill(pod)

    def stuck(self) -> None:
        """New pods do not become ready."""
        workload = self._workload()
        workload.is_stuck = True
        self._until(self.rng.choice((30.0, 300.0, 900.0)), lambda: self.world.cluster.unstick(workload))

    def rollout(self) -> None:
        """A new version of a workload."""
        self.world.cluster.roll(self._workload())

    def _weather(self, name: str, value: float, seconds: float) -> None:
        weather = self.world.network.weather
        setattr(weather, name, value)
        self._until(seconds, lambda: setattr(weather, name, 0.0))

    def slow(self) -> None:
        """The API server takes its time."""
        self._weather("slow", self.rng.choice((0.5, 3.0, 12.0)), self.rng.choice((20.0, 90.0)))

    def lost(self) -> None:
        """Requests do not arrive."""
        self._weather("lost", self.rng.choice((0.1, 0.5, 0.9)), self.rng.choice((20.0, 90.0)))

    def unanswered(self) -> None:
        """Requests are carried out, and nobody hears of it."""
        self._weather("unanswered", self.rng.choice((0.1, 0.5, 0.9)), self.rng.choice((20.0, 90.0)))

    def refused(self) -> None:
        """The API server refuses requests."""
        weather = self.world.network.weather
        weather.code = self.rng.choice((409, 410, 429, 500, 503, 403, 401))
        weather.retry_after = self.rng.choice(("", "1", "30")) if weather.code == 429 else ""
        self._weather("refused", self.rng.choice((0.2, 0.6, 1.0)), self.rng.choice((10.0, 60.0)))

    def watches_cut(self) -> None:
        """Every watch ends; what was on its way is lost or not."""
        self.world.network.drop_watches(lossy=self.rng.random() < 0.5)

    def watch_dead(self) -> None:
        """The connection of one watch is dead, and no end of it is told: only its silence shows it, after minutes."""
        if not self.world.network.streams:
            return
        stream = self.rng.choice(self.world.network.streams)
        stream.is_dead = True
        self.world.note(f"  {stream.process}: {stream.resource}")

    def compacted(self) -> None:
        """Every watch ends and is too old to go on."""
        self.world.network.drop_watches(lossy=True)
        # One that has seen all but what a broken cache left out must list anew as well.
        self.world.server.revision += 1
        self.world.loop.later(0.2, self.world.server.compact)
        self.world.server.compact()

    def events_lost(self) -> None:
        """A broken watch cache leaves events out; then it is made anew."""
        for stream in self.world.network.streams:
            stream.lossy = self.rng.choice((0.3, 1.0))

        self._until(self.rng.choice((10.0, 45.0)), self.compacted)

    def restart(self) -> None:
        """The API server is away for a while."""
        weather = self.world.network.weather
        weather.is_down = True
        self.world.network.drop_watches(lossy=True)

        def undo() -> None:
            weather.is_down = False
            if self.rng.random() < 0.5:
                self.world.server.compact()

        self._until(self.rng.choice((1.0, 15.0, 100.0)), undo)

    def partition(self) -> None:
        """One controller reaches nobody."""
        alive = self.world.alive()
        if not alive:
            return
        process = self.rng.choice(alive).process
        if process is None or process in self.world.network.cut:
            return
        network = self.world.network
        network.cut.add(process)
        self.world.note(f"  {process}")

        def undo() -> None:
            network.cut.discard(process)
            for stream in tuple(network.streams):
                if stream.process is process:
                    if self.rng.random() < 0.5:
                        stream.cut(lossy=True)
                    else:
                        stream.heal()

        self._until(self.rng.choice((5.0, 30.0, 120.0)), undo)

    def pause(self) -> None:
        """A controller's process is stopped, and goes on later as if nothing had been."""
        alive = [each for each in self.world.alive() if each.process is not None and not each.process.is_stopped]
        if not alive:
            return
        process = self.rng.choice(alive).process
        if process is None:
            return
        loop = self.world.loop
        loop.stop_process(process)
        self.world.note(f"  {process}")

        def undo() -> None:
            if process.is_stopped:
                self.world.resume(process)

        self._until(self.rng.choice((1.0, 20.0, 70.0, 300.0)), undo)

    def crash(self) -> None:
        """A controller dies, and is started again."""
        alive = self.world.alive()
        if not alive:
            return
        controller = self.rng.choice(alive)
        # At any step of the loop, not only between two faults.
        self.world.loop.later(self.rng.random() * 30.0, self._crash, controller)

    def _crash(self, controller: Controller) -> None:
        if controller.task is None:
            return
        self.world.crash(controller)

        def undo() -> None:
            if controller.task is None:
                self.world.start(controller)

        self._until(self.rng.choice((1.0, 10.0, 60.0, 400.0)), undo)

    def replace(self) -> None:
        """A controller is stopped in order, and a new one started: its own rollout."""
        alive = [each for each in self.world.alive() if each.process is not None and not each.process.is_stopped]
        if not alive:
            return
        controller = self.rng.choice(alive)
        if controller.app is not None:
            controller.app.stop()
            self.world.note(f"  {controller.process} is told to end")
        task, controller.task = controller.task, None

        def undo() -> None:
            lingers = task is not None and not task.done() and controller.task is None
            if lingers and controller.process is not None and controller.app is not None:
                controller.task = task
                self.world.crash(controller)
            if controller.task is None:
                self.world.start(controller)

        self._until(30.0, undo)

    def skew(self) -> None:
        """A machine's wall clock is wrong from now on."""
        alive = self.world.alive()
        if alive:
            process = self.rng.choice(alive).process
            if process is not None:
                process.skew = self.rng.choice((-86400.0, -30.0, 0.0, 5.0, 3600.0))

    def manual(self) -> None:
        """Somebody scales a workload by hand."""
        workload = self._workload()
        plan = next(plan for plan in self.world.plans.values() if plan.workload == workload.name)
        # A zero that somebody else asked for is a wish to be left alone for HPA, and for all with a minimum above it.
        may_be_zero = plan.wakes and plan.strategy != "HPA" and plan.minimum == 0
        replicas = self.rng.randint(0 if may_be_zero else 1, plan.maximum + 2)
        if not replicas:
            self._by_hand.add(plan.workload)
        self.world.note(f"  {workload.name} to {replicas} by hand")
        self.world.server.change("deployments", workload.namespace, workload.name, {"spec": {"replicas": replicas}})

    def edit(self) -> None:
        """Somebody edits an autoscaler."""
        rng = self.rng
        key, plan = rng.choice(list(self.world.plans.items()))
        what = rng.choice(("bounds", "target", "mode", "window"))
        if what == "bounds":
            minimum = rng.choice((0, 0, 1, 2) if plan.wakes else (1, 2, 3))
            is_left_alone = (
                plan.workload in self._by_hand
                and not self.world.cluster.workloads[plan.namespace, plan.workload].wanted
            )
            plan.minimum = 0 if is_left_alone else minimum
            plan.maximum = max(1, plan.minimum + rng.choice((0, 2, 5, 9)))
        elif what == "target":
            plan.target *= rng.choice((0.5, 2.0))
        elif what == "mode":
            plan.mode = rng.choice(("Active", "DryRun", "Paused"))
        elif plan.has_behavior:
            plan.stabilization = rng.choice((60.0, 120.0, 300.0))
        self._apply(key, plan)

    def _apply(self, key: str, plan: Plan) -> None:
        if self.world.server.get("podautoscalers", plan.namespace, plan.name) is None:
            return
        plan.revision += 1
        self.world.server.change("podautoscalers", plan.namespace, plan.name, {"spec": plan.manifest()["spec"]})
        self.world.note(f"  {key}: {plan}")

    def recreate(self) -> None:
        """An autoscaler is deleted and made again."""
        key, plan = self.rng.choice(list(self.world.plans.items()))
        if self.world.server.get("podautoscalers", plan.namespace, plan.name) is None:
            return
        self.world.server.delete("podautoscalers", plan.namespace, plan.name)

        def undo() -> None:
            if self.world.server.get("podautoscalers", plan.namespace, plan.name) is None:
                self.world.server.create("podautoscalers", plan.namespace, plan.manifest())

        self.world.note(f"  {key}")
        self._until(self.rng.choice((0.0, 3.0, 60.0)), undo)

    def rotate(self) -> None:
        """The token that pods want is a new one."""
        world = self.world
        world.cluster.token_number += 1
        for namespace in ("team-0", "team-1"):
            world.server.change("secrets", namespace, "pages", self._secret(namespace))

    def _secret(self, namespace: str, authority: int | None = None) -> dict[str, object]:
        """A namespace's Secret as it should be now."""
        cluster = self.world.cluster
        if authority is not None:
            self._told_authority = authority
        data = {"token": cluster.token(namespace), "authority": AUTHORITIES[self._told_authority]}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "pages"},
            "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
        }


def _stays(count: int, load: float, target: float) -> bool:
    return math.ceil(count * math.ceil(1000 * load / count) / (1000 * target) - 1e-9) == count


_MEASURED = frozenset({"lastDecision", "metrics", "targets"})


def _is_noise(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two statuses tell the same but for values that lie within a fiftieth of their target."""
    first, second = ((each.get("lastDecision") or {}).get("metrics") or () for each in (one, other))
    return len(first) == len(second) and all(
        abs(old.get("permille", 0) - new.get("permille", 0)) < 20
        and all(old.get(name) == new.get(name) for name in ("name", "target", "replicas", "reason"))
        for old, new in zip(first, second, strict=True)
    )


def _process_of(task: "asyncio.Task[object]") -> object:
    return task.get_context().get(CURRENT) if hasattr(task, "get_context") else None


def _settling(plan: Plan) -> float:
    """Seconds for the way down: two steps, or as many as it takes with half of the pods gone in each."""
    twice = 2 * (plan.window + plan.stabilization + 4 * plan.interval)
    if plan.strategy == "HPA":
        return twice
    steps = math.ceil(math.log2(plan.maximum / max(1, plan.minimum))) + plan.wakes
    return max(twice, plan.window + 4 * plan.interval + (plan.stabilization + 2 * plan.interval) * steps)


def _load(rng: random.Random, target: float, maximum: int) -> float:
    """A load whose need is not near a whole number of pods."""
    return target * (rng.randint(0, maximum) + rng.choice((0.35, 0.5, 0.65)))
