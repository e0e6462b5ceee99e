"""How a kind of server is reached: its TLS context and the headers of its requests, kept fresh while in use.

A source opens an access per `spec.Http` and is told when it changes; `run` looks after all of them in one task.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable

from podtide.aio import clock
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Http
from podtide.net import auth, prepare

LOG = logging.getLogger(__name__)
DEFAULTS = prepare.Defaults()

FRESH = 30.0
"""Seconds after which files, Secrets and ConfigMaps are looked at again. Kubernetes takes up to a minute to renew a
mounted one, and a service-account token is renewed when a fifth of its life is left."""
SUSPECT = 5.0
"""Seconds that must pass before a server's refusal makes us look again."""
PATIENCE = 10.0
"""Seconds for one look at all that an access needs."""
ABREAST = 16
"""Accesses prepared at the same time."""


class Access:
    """One way to reach a kind of server, as it is now."""

    __slots__ = ("_accesses", "_listeners", "due", "is_in_doubt", "kind", "looked", "state")

    def __init__(self, accesses: "Accesses", kind: prepare.Kind) -> None:
        self._accesses = accesses
        self._listeners: list[Callable[[], None]] = []
        self.kind = kind
        self.state: prepare.Prepared | Failure | None = None
        """None while it has not been looked at yet."""
        self.is_in_doubt = False
        """Whether the last look failed though the one before did not, so that the next is to confirm it."""
        self.due = float("-inf")
        self.looked = float("-inf")

    def listen(self, changed: Callable[[], None]) -> None:
        """Have `changed` called after every change of the state, from the task that runs `Accesses.run`."""
        self._listeners.append(changed)

    def suspect(self) -> None:
        """A server refused what we showed, or showed what we do not trust: look again soon."""
        self._accesses.hasten(self)

    def close(self, changed: Callable[[], None]) -> None:
        """Stop listening; an access nobody listens to is forgotten."""
        self._listeners.remove(changed)
        if not self._listeners:
            self._accesses.forget(self)

    def become(self, state: prepare.Prepared | Failure) -> None:
        """Take a new state and tell those who listen, if it is new."""
        was_in_doubt, self.is_in_doubt = self.is_in_doubt, False
        if isinstance(state, Failure) and isinstance(self.state, prepare.Prepared):
            if state.reason is Reason.API:
                return  # what was true a moment ago is better than nothing while the API server is away
            if not was_in_doubt:
                # A certificate and its key are two files: we may have looked between the one's renewal and the other's.
                self.is_in_doubt = True
                return
        if state != self.state:
            self.state = state
            for changed in tuple(self._listeners):
                try:
                    changed()
                except Exception as error:  # nor must a listener's bug
                    _complain("a reader of credentials crashed", error)


class Accesses:
    """Every access in use, by what it is for. Two sources that ask alike share one."""

    def __init__(
        self,
        credentials: auth.Credentials,
        defaults: prepare.Defaults = DEFAULTS,
        *,
        timer: clock.Clock | None = None,
    ) -> None:
        self._preparer = prepare.Preparer(credentials, defaults)
        self._timer = timer or clock.Clock()
        self._all: dict[prepare.Kind, Access] = {}
        self._wake = asyncio.Event()

    def open(
        self, namespace: str, http: Http, changed: Callable[[], None], *, owner: str, peer: str | None = None
    ) -> Access:
        """The access for this namespace and `http`; `peer` is a URL's `host:port`, None means pods.

        `owner` stands in the log when verification is off. Where nothing has to be looked up the state is there at
        once; else `changed` is called when it is.
        """
        kind = prepare.Kind(namespace, http, peer)
        access = self._all.get(kind)
        if access is None:
            access = self._all[kind] = Access(self, kind)
            if prepare.needs_nothing(http):
                access.state, access.due = prepare.plain(http), float("inf")
            if self._preparer.skips(kind):
                LOG.warning("%s: the certificates of %s are not verified", owner, peer or "its pods")
            self._wake.set()
        access.listen(changed)
        return access

    @property
    def unverified(self) -> int:
        """How many accesses in use do not verify certificates."""
        return sum(self._preparer.skips(kind) for kind in self._all)

    def hasten(self, access: Access) -> None:
        """Look at an access again, but not more often than every few seconds."""
        soon = access.looked + SUSPECT
        if soon < access.due:
            access.due = soon
            self._wake.set()

    def forget(self, access: Access) -> None:
        """Drop an access that nobody uses."""
        self._all.pop(access.kind, None)

    async def run(self) -> None:
        """Prepare what is new and look again at the rest, until cancelled."""
        while True:
            self._wake.clear()
            await self.refresh()
            wait = min((access.due for access in self._all.values()), default=float("inf")) - self._timer.now()
            await self._timer.sleep(min(max(wait, 0.0), FRESH), self._wake)

    async def refresh(self) -> None:
        """Look at every access that is due, once."""
        now = self._timer.now()
        due = [access for access in self._all.values() if access.due <= now]
        abreast = asyncio.Semaphore(ABREAST)
        async with asyncio.TaskGroup() as group:
            for access in due:
                group.create_task(self._look(access, abreast), name=f"access for {access.kind.namespace}")

    async def _look(self, access: Access, abreast: asyncio.Semaphore) -> None:
        async with abreast:
            try:
                async with asyncio.timeout(PATIENCE):
                    state = await self._preparer.prepare(access.kind)
            except TimeoutError:
                state = Failure(Reason.API, f"Secrets of namespace {access.kind.namespace}: no answer in {PATIENCE} s")
            except Exception as error:  # one tenant's Secret must not end the looks at everybody's
                _complain(f"the look at the credentials of namespace {access.kind.namespace} crashed", error)
                state = Failure(Reason.API, "reading the credentials crashed; the controller's log says where")
        access.looked = self._timer.now()
        access.become(state)
        access.due = access.looked + (SUSPECT if access.is_in_doubt else FRESH)


def _complain(what: str, error: Exception) -> None:
    """Where it happened, without the error's own words, which may repeat what is secret."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    LOG.error("%s: %s in %s, line %s", what, type(error).__name__, place.filename, place.lineno)
