"""One autoscaler's mutable state. Only the engine changes it, and only one worker (or simulation) owns it."""

from podtide.core.memory.memory import Memory
from podtide.core.memory.metric import MetricMemory
from podtide.core.memory.snapshot import Frozen

__all__ = ["Frozen", "Memory", "MetricMemory"]
