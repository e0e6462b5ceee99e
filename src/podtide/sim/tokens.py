"""A model server that counts in tokens, as vLLM does: prompts are read one after the other, answers grow side by side.

Per pod: a request waits until a sequence and room in the KV cache are free for it (vLLM's `max_num_seqs` and its
blocks), its prompt is read at the prefill rate, then it gains a token in every step that all running sequences share. A
step takes `step + step_per_sequence × running` seconds: decoding is bound by reading the weights, so that a step grows
slowly with the batch (Splitwise, Patel et al., ISCA 2024, section III; Sarathi-Serve, Agrawal et al., OSDI 2024,
section 3). While a prompt is being read, steps take `interference` times as long (chunked prefill shares the step).
The room of the whole answer is taken at the start, so nothing is ever preempted. Requests go to the pod with the fewest
outstanding.
"""

import heapq
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from podtide.sim.service import Recent, Served
from podtide.sim.workload import Requests

RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
CACHE, OLD_CACHE = "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"
PROMPTS, ANSWERS = "vllm:prompt_tokens_total", "vllm:generation_tokens_total"
SUCCESS = "vllm:request_success_total"
GAUGES = (RUNNING, WAITING, CACHE, OLD_CACHE, "concurrency", "rps", PROMPTS, ANSWERS, SUCCESS)

_TOKEN = 1e-6
"""The part of a token by which the clock may miss an answer's end for rounding."""


@dataclass(frozen=True, slots=True)
class Model:
    """One pod. The defaults are round numbers for trying things out, measured nowhere: give your own server's."""

    prefill: float = 8000.0
    """Prompt tokens a second."""
    step: float = 0.03
    """Seconds of a step with nearly nothing running."""
    step_per_sequence: float = 0.0002
    """Seconds that each running sequence adds to a step."""
    interference: float = 2.0
    """How many times as long a step takes while a prompt is being read."""
    sequences: int = 256
    """The most at a time (`--max-num-seqs`)."""
    cache: float = 200_000.0
    """Tokens that fit into the KV cache."""
    patience: float = 60.0
    """Seconds after which a request that still waits is given up."""
    whole: bool = False
    """Whether a latency is that of the whole answer; else of its first token."""


class _Pod:
    """One server."""

    __slots__ = (
        "answers",
        "cached",
        "clock",
        "done",
        "due",
        "now",
        "prompts",
        "reading",
        "running",
        "started",
        "waiting",
    )

    def __init__(self, now: float) -> None:
        self.now = now
        self.due = float("inf")
        """When something happens next by itself."""
        self.clock = 0.0
        """Tokens that a sequence would have gained which had run from the beginning."""
        self.waiting: deque[tuple[float, float, float]] = deque()
        """Arrival, prompt and answer."""
        self.reading: tuple[float, float, float, float] | None = None
        """When the prompt will have been read, and the request."""
        self.running: list[tuple[float, float, float, float, int]] = []
        """A heap: the clock at the last token, arrival, room taken in the cache, the clock at the first token, and the
        place of the latency if that was known by then, else -1."""
        self.started = 0.0
        """The clock at which each running one began, added up."""
        self.cached = 0.0
        self.prompts = self.answers = self.done = 0.0

    def outstanding(self) -> int:
        return len(self.waiting) + len(self.running) + (self.reading is not None)


class Tokens:
    """The workload."""

    def __init__(self, model: Model, requests: Requests) -> None:
        self.served = Served()
        self._model = model
        self._requests = requests
        self._next = 0
        self._pods: dict[str, _Pod] = {}
        self._homeless: deque[tuple[float, float, float]] = deque()
        self._recent = Recent(requests.begin)

    @property
    def gauges(self) -> tuple[str, ...]:
        """Under vLLM's names."""
        return GAUGES

    def capacity(self) -> float:
        """Prompt tokens a second: what the first token waits for."""
        return self._model.prefill

    def advance(self, now: float) -> None:
        """Hand out what arrives before `now`, and play every pod until then."""
        requests, index = self._requests, self._next
        arrivals, end = requests.arrivals, len(requests)
        while index < end and arrivals[index] < now:
            at = arrivals[index]
            request = (at, requests.work[index], requests.more[index])
            index += 1
            if not self._pods:
                self._homeless.append(request)
                continue
            for pod in self._pods.values():
                if pod.due <= at:
                    self._play(pod, at)
            least = min(self._pods.values(), key=_Pod.outstanding)
            least.waiting.append(request)
            self._play(least, at)
        self._next = index
        for pod in self._pods.values():
            self._play(pod, now)
        while self._homeless and self._homeless[0][0] < now - self._model.patience:
            self._homeless.popleft()
            self.served.dropped += 1

    def join(self, uid: str, now: float) -> None:
        """It takes what found no pod, if it is the first."""
        self._pods[uid] = pod = _Pod(now)
        pod.waiting, self._homeless = self._homeless, deque()
        self._play(pod, now)

    def leave(self, uid: str, now: float, grace: float) -> float:
        """It finishes what it has, on its own; so that can be played at once."""
        pod = self._pods.pop(uid, None)
        if pod is None:
            return now
        while pod.outstanding() and pod.due <= now + grace:
            self._play(pod, pod.due)
        self.served.dropped += pod.outstanding()
        for *_, place in pod.running:
            if place >= 0:
                self.served.latencies[place] = math.inf
        return now + grace if pod.outstanding() else max(now, pod.now)

    def read(self, gauge: str, now: float) -> Mapping[str, float]:
        """What each pod's page says."""
        if gauge == "rps":
            share = self.total(gauge, now) / max(1, len(self._pods))
            return dict.fromkeys(self._pods, share)
        return {uid: self._of(pod, gauge) for uid, pod in self._pods.items()}

    def total(self, gauge: str, now: float) -> float:
        """Of the whole workload, with what waits for a first pod."""
        if gauge == "rps":
            return self._recent.rate(now, float(bisect_left(self._requests.arrivals, now)))
        homeless = len(self._homeless) if gauge in (WAITING, "concurrency") else 0
        return sum(self._of(pod, gauge) for pod in self._pods.values()) + homeless

    def _of(self, pod: _Pod, gauge: str) -> float:
        match gauge:
            case "vllm:num_requests_running":
                return float(len(pod.running) + (pod.reading is not None))
            case "vllm:num_requests_waiting":
                return float(len(pod.waiting))
            case "vllm:kv_cache_usage_perc" | "vllm:gpu_cache_usage_perc":
                return self._cached(pod) / self._model.cache
            case "vllm:prompt_tokens_total":
                return pod.prompts
            case "vllm:generation_tokens_total":
                return pod.answers + len(pod.running) * pod.clock - pod.started
            case "vllm:request_success_total":
                return pod.done
            case _:
                return float(pod.outstanding())

    def _cached(self, pod: _Pod) -> float:
        """Tokens in the cache now. What is reserved for the rest of the answers is not in it."""
        rest = sum(each[0] - pod.clock for each in pod.running)
        return max(0.0, pod.cached - rest - (pod.reading[3] if pod.reading else 0.0))

    def _play(self, pod: _Pod, now: float) -> None:
        while pod.due <= now:
            due = pod.due
            self._pass(pod, due)
            if pod.reading is not None and pod.reading[0] <= due:
                self._first_token(pod, pod.reading)
            elif pod.running:
                # Seconds since 1970 are coarse: the clock must not stop short of the token that is due.
                pod.clock = max(pod.clock, pod.running[0][0])
            while pod.running and pod.running[0][0] <= pod.clock + _TOKEN:
                self._last_token(pod)
            self._admit(pod)
            pod.due = self._following(pod)
        self._pass(pod, now)
        self._admit(pod)
        pod.due = self._following(pod)

    def _following(self, pod: _Pod) -> float:
        """When the next prompt is read or the next answer complete; infinity if neither will be."""
        read = pod.reading[0] if pod.reading is not None else float("inf")
        if not pod.running:
            return read
        return min(read, pod.now + max(0.0, pod.running[0][0] - pod.clock) * self._step(pod))

    def _step(self, pod: _Pod) -> float:
        """Seconds for a token of each."""
        model = self._model
        seconds = model.step + model.step_per_sequence * len(pod.running)
        return seconds * model.interference if pod.reading is not None else seconds

    def _pass(self, pod: _Pod, now: float) -> None:
        if now > pod.now:
            if pod.running:
                pod.clock += (now - pod.now) / self._step(pod)
            pod.now = now

    def _admit(self, pod: _Pod) -> None:
        """Begin to read the next prompt, if there is room for its sequence."""
        model = self._model
        while pod.waiting and pod.reading is None:
            at, prompt, answer = pod.waiting[0]
            if pod.now - at > model.patience or prompt + answer > model.cache:
                pod.waiting.popleft()
                self.served.dropped += 1
            elif len(pod.running) < model.sequences and pod.cached + prompt + answer <= model.cache:
                pod.waiting.popleft()
                pod.cached += prompt + answer
                pod.reading = (pod.now + prompt / model.prefill, at, prompt, answer)
            else:
                return

    def _first_token(self, pod: _Pod, read: tuple[float, float, float, float]) -> None:
        _, at, prompt, answer = read
        pod.reading = None
        pod.prompts += prompt
        place = -1
        if not self._model.whole:
            place = len(self.served.latencies)
            self.served.latencies.append(pod.now - at)
        heapq.heappush(pod.running, (pod.clock + answer - 1.0, at, prompt + answer, pod.clock, place))
        pod.answers += 1.0
        pod.started += pod.clock

    def _last_token(self, pod: _Pod) -> None:
        last, at, room, first, _ = heapq.heappop(pod.running)
        pod.answers += last - first
        pod.started -= first
        if self._model.whole:
            self.served.latencies.append(pod.now - at)
        pod.cached -= room
        pod.done += 1.0
