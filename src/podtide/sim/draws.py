"""Random numbers that repeat: everything that is drawn in a simulation comes from generators made here."""

import random


def generator(seed: float) -> random.Random:
    """One that draws the same for the same seed."""
    return random.Random(seed)  # noqa: S311  (a simulation must repeat, and keeps no secret)
