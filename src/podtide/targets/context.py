"""What every target of one process shares. Made by `targets.registry`."""

from dataclasses import dataclass

from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers
from podtide.targets.answers import Answers
from podtide.targets.ownership import Ownership
from podtide.targets.rivals import Rivals


@dataclass(frozen=True, slots=True)
class Context:
    """The watches and what is made of them."""

    informers: Informers
    discovery: Discovery
    ownership: Ownership
    rivals: Rivals
    answers: Answers
    patch_timeout: float
    """Seconds for one patch of a scale: short enough that one sent on the last moment of a Lease has ended, or is given
    up, when another may take the Lease over."""
