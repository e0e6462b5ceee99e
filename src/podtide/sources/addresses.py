"""Where a pod serves its page: port, path and protocol, from the source, the pod's annotations and its containers."""

from typing import Literal
from urllib.parse import quote

from podtide.core import names
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import PodPage
from podtide.core.model.view import PodView, PortView
from podtide.net.page import Ask
from podtide.net.prepare import Prepared
from podtide.sources import verdict

_ACCEPT = (("Accept", verdict.ACCEPT),)

_SAFE = "/?&=%:@!$'()*+,;~[]"
"""Left as it stands in a path: what has a meaning in a request line, and escapes that are there already."""


def ask(pod: PodView, source: PodPage, way: Prepared) -> Ask | Failure:
    """What to ask of a pod, or why it cannot be asked."""
    if not pod.ip:
        return Failure(Reason.NO_ADDRESS, f"pod {pod.name} has no address yet")
    number = port(pod, source.port)
    if isinstance(number, Failure):
        return number
    return Ask(pod.ip, number, path(pod, source.path), way.context, way.server_name, _ACCEPT + way.headers, way.http2)


def engine(pod: PodView) -> str:
    """The inference engine a pod says it runs."""
    return pod.labels.get(names.ENGINE_LABEL) or names.DEFAULT_ENGINE


def scheme(pod: PodView, source: PodPage) -> Literal["http", "https"]:
    """The protocol: the source's, else the pod's `prometheus.io/scheme`, else plain HTTP."""
    if source.http.scheme is not None:
        return source.http.scheme
    return "https" if pod.annotations.get("prometheus.io/scheme", "").lower() == "https" else "http"


def path(pod: PodView, wanted: str | None) -> str:
    """The path: the source's, else the pod's `prometheus.io/path`, else the engine's."""
    found = wanted or pod.annotations.get("prometheus.io/path") or names.page_path(engine(pod))
    found = found.partition("#")[0]
    return quote(found if found.startswith("/") else f"/{found}", safe=_SAFE)


def port(pod: PodView, wanted: int | str | None) -> int | Failure:
    """The port: the source's number or name, else the pod's `prometheus.io/port`, else its only container port."""
    if isinstance(wanted, int):
        return wanted
    declared = _declared(pod)
    if wanted is not None:
        return _numbered(pod, wanted, declared, "`port`")
    noted = pod.annotations.get("prometheus.io/port")
    if noted:
        return _numbered(pod, noted, declared, "annotation prometheus.io/port")
    numbers = {one.number for one in declared}
    if len(numbers) == 1:
        return numbers.pop()
    if not numbers:
        return Failure(Reason.NO_PORT, f"pod {pod.name} declares no container port: set `port`")
    return Failure(Reason.NO_PORT, f"pod {pod.name} has several ports ({_listed(declared)}): set `port` to one of them")


def _numbered(pod: PodView, wanted: str, declared: list[PortView], where: str) -> int | Failure:
    for one in declared:
        if one.name == wanted:
            return one.number
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) < 65536:
        return int(wanted)
    there = _listed(declared) or "none"
    return Failure(Reason.NO_PORT, f"{where}: pod {pod.name} has no port {wanted!r}; its ports: {there}")


def _declared(pod: PodView) -> list[PortView]:
    sidecars = [one for one in pod.init_containers if one.restartable]
    return [declared for container in (*pod.containers, *sidecars) for declared in container.ports]


def _listed(ports: list[PortView]) -> str:
    return ", ".join(f"{one.name} {one.number}" if one.name else str(one.number) for one in ports)
