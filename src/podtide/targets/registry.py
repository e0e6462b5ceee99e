"""Names every kind of target. Called by `control.fleet` for each autoscaler."""

from podtide.core.model.spec import AutoscalerSpec
from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers
from podtide.targets.answers import Answers
from podtide.targets.base import Target
from podtide.targets.context import Context
from podtide.targets.ownership import Ownership
from podtide.targets.rivals import Rivals
from podtide.targets.roles import RoleTarget
from podtide.targets.scale import ScaleTarget


class Targets:
    """Makes targets that share one set of watches."""

    def __init__(self, informers: Informers, *, patch_timeout: float = 5.0) -> None:
        """`patch_timeout` is seconds for one patch of a scale."""
        self.rivals = Rivals(informers)
        discovery = Discovery(informers.client)
        ownership = Ownership(informers, discovery)
        self._context = Context(informers, discovery, ownership, self.rivals, Answers(), patch_timeout)

    def for_spec(self, spec: AutoscalerSpec) -> Target:
        """The target of an autoscaler."""
        if spec.target.role:
            return RoleTarget(spec, spec.target.role, self._context)
        return ScaleTarget(spec, self._context)
