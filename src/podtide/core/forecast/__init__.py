"""Where a load is going: `Foresight` follows one metric, `startup` learns how far ahead to look. The engine asks."""

from podtide.core.forecast.foresight import Foresight

__all__ = ["Foresight"]
