"""The decision core's three calls, in the order of a tick: `absorb` what was read, `decide`, `settle` what was done.

The controller, the simulator, the replay tool and the tests against upstream's vectors all call these. Nothing else
computes replicas.
"""

from podtide.core.engine.absorb import absorb
from podtide.core.engine.decide import decide
from podtide.core.engine.settle import settle

__all__ = ["absorb", "decide", "settle"]
