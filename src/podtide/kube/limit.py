"""A token bucket: how fast this process may ask the API server. Used by `kube.client` alone."""

import asyncio
import time


class TokenBucket:
    """`qps` requests a second on average, `burst` at once; a caller over the limit waits its turn in order."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps = qps
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = time.monotonic()

    async def take(self) -> None:
        """Take one token, waiting for it if need be."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._qps) - 1
        self._at = now
        if self._tokens < 0:
            # The debt is each waiter's place in the queue.
            try:
                await asyncio.sleep(-self._tokens / self._qps)
            except asyncio.CancelledError:
                # Else a thousand that give up would make all others wait for them.
                self._tokens += 1
                raise
