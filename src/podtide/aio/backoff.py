"""How long to wait after the n-th failure in a row. The scrape pool, supervised tasks and retries count on it."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A delay that doubles with every failure, up to a bound, a little different for everybody."""

    first: float = 1.0
    """Seconds after the first failure."""
    maximum: float = 60.0
    """Seconds that no delay exceeds."""
    jitter: float = 0.2
    """The share of a delay that is taken off by chance, so that those who failed together do not come back together."""

    def delay(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after so many failures in a row; 0 after none."""
        if failures <= 0:
            return 0.0
        # The exponent is bounded because 2.0 ** 1024 overflows.
        longest = min(self.maximum, self.first * 2.0 ** min(failures - 1, 64))
        return longest * (1.0 - self.jitter * rng.random())
