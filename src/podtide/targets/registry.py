"""Names every kind of target. Called by `control.fleet` for each autoscaler."""

from podtide.core.model.spec import AutoscalerSpec
from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers
from podtide.targets.base import Target
from podtide.targets.ownership import Ownership
from podtide.targets.rivals import Rivals
from podtide.targets.scale import ScaleTarget


class Targets:
    """Makes targets that share one set of watches."""

    def __init__(self, informers: Informers) -> None:
        self.rivals = Rivals(informers)
        self._informers = informers
        self._discovery = Discovery(informers.client)
        self._ownership = Ownership(informers, self._discovery)

    def for_spec(self, spec: AutoscalerSpec) -> Target:
        """The target of an autoscaler."""
        return ScaleTarget(spec.key, spec.target, self._informers, self._discovery, self._ownership, self.rivals)
