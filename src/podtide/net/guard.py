"""Where a URL that a tenant wrote may lead: not to this machine, its neighbours or the API server. For `net.http`."""

import ipaddress
from collections.abc import Iterable

from podtide.core.model.reading import Failure, Reason
from podtide.net import errors, lookups

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Link-local is refused as a whole; these metadata services of clouds lie elsewhere: Alibaba's, Oracle's (old, and in
# IPv6), Azure's, Google's in IPv6, and the addresses that Amazon keeps for its services, EKS' credentials among them.
_METADATA = tuple(
    map(
        ipaddress.ip_network,
        ("100.100.100.200", "192.0.0.192", "fd00:c1::a9fe:a9fe", "168.63.129.16", "fd20:ce::254", "fd00:ec2::/32"),
    )
)
# Where a translator stands between IPv6 and IPv4, the last 32 bits are the address that is reached. RFC 6052, 8215.
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


class Guard:
    """Looks up a host and refuses addresses that would let a tenant speak with the controller's place in the network.

    The address that was checked is the one to connect to: another look-up could answer differently.
    """

    def __init__(self, *, allowed: Iterable[str] = (), refused: Iterable[str] = ()) -> None:
        """`allowed` are hosts, `*.suffix` patterns or networks that are fine nevertheless; `refused` more hosts that
        are not, the API server for one."""
        self._hosts: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for pattern in allowed:
            self._allow(pattern.lower())
        self._refused = frozenset(host.lower() for host in refused)
        self._lookups = lookups.Lookups()

    async def aclose(self) -> None:
        """Wait for no more names."""
        await self._lookups.aclose()

    async def addresses(self, host: str, port: int, *, owner: str = "") -> list[str] | Failure:
        """The addresses of a host, in the resolver's order, if every one may be connected to.

        `owner` is in whose name it is asked for; each has only so many look-ups at a time.
        """
        where = f"{host}:{port}"
        if self._knows(host):
            return await self._resolve(host, port, owner)
        if host.lower().rstrip(".") in self._refused:
            return _refusal(where, "the Kubernetes API server")
        found = await self._resolve(host, port, owner)
        if isinstance(found, Failure):
            return found
        for text in found:
            why = self._objection(ipaddress.ip_address(text.partition("%")[0]))
            if why is not None:
                return _refusal(where if text == host else f"{where} ({text})", why)
        return found

    async def _resolve(self, host: str, port: int, owner: str) -> list[str] | Failure:
        try:
            found = await self._lookups.find(host, port, owner)
        except OSError as error:
            return errors.named(error, f"{host}:{port}")
        except UnicodeError:
            return Failure(Reason.CONNECT, f"{host}:{port}: this is no host name")
        return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))

    def _allow(self, pattern: str) -> None:
        if pattern.startswith("*."):
            self._suffixes.append(pattern[1:])
            return
        try:
            self._networks.append(ipaddress.ip_network(pattern, strict=False))
        except ValueError:
            self._hosts.add(pattern)

    def _knows(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self._hosts or any(name.endswith(suffix) for suffix in self._suffixes)

    def _objection(self, address: Address) -> str | None:
        """Why an address may not be connected to."""
        if any(address in network for network in self._networks):
            return None
        inner = _inner(address)
        if inner is not None:
            return self._objection(inner)
        if str(address) in self._refused:
            return "the Kubernetes API server"
        if address.is_loopback or address.is_unspecified or address in _THIS_NETWORK:
            return "this machine itself"
        if address.is_link_local or any(address in network for network in _METADATA):
            return "link-local, where clouds keep their credentials"
        if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
            return "no single machine"
        return None


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_unspecified or address.is_loopback:
        return None
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _refusal(where: str, what: str) -> Failure:
    return Failure(
        Reason.FORBIDDEN_ADDRESS,
        f"{where} is {what}; the controller's operator can allow it in the list of allowed endpoints",
    )
