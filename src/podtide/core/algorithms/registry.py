"""Which algorithm a spec asks for. The only module that names them all; the engine calls it.

A new algorithm is a package beside this file, a case in `model.spec.Algorithm`, and a line here.
"""

from typing import assert_never

from podtide.core.algorithms.apa import RatioBand
from podtide.core.algorithms.base import Algorithm
from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.algorithms.kpa.algorithm import KnativePods
from podtide.core.model import spec


def for_spec(rules: spec.Algorithm) -> Algorithm:
    """The algorithm with these parameters. It costs nothing to make, and keeps nothing between calls."""
    match rules:
        case spec.Kpa():
            return KnativePods(rules)
        case spec.Hpa():
            return HorizontalPods(rules)
        case spec.Apa():
            return RatioBand(rules)
        case _:
            assert_never(rules)
