"""Memory for bytes on their way in: leased while an answer arrives, shared by all. Called by `net.connection`.

The last buffer given back is the first leased again, so a thousand pods are read through the few that the
processor's cache holds, and an idle connection owns none.
"""

_SMALLEST = 1 << 15
_KEPT = 8 << 20
"""Bytes of unused buffers that are kept for the next answers; the rest goes back to the system."""


class Lease:
    """One contiguous buffer; the first `filled` bytes are in use."""

    __slots__ = ("data", "filled", "size", "view")

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.view = memoryview(self.data)
        self.size = size
        self.filled = 0


class Full(Exception):
    """All memory set aside for answers is in use."""


class Buffers:
    """Buffers in powers of two, with an upper bound on what is leased at one time."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._free: dict[int, list[Lease]] = {}
        self._free_bytes = 0
        self.leased = 0
        """Bytes in leased buffers."""

    def lease(self, wanted: int) -> Lease:
        """A buffer of at least `wanted` bytes. Raises `Full`."""
        size = _SMALLEST if wanted <= _SMALLEST else 1 << (wanted - 1).bit_length()
        free = self._free.get(size)
        if self.leased + size > self._budget:
            raise Full
        self.leased += size
        if not free:
            return Lease(size)
        self._free_bytes -= size
        return free.pop()

    def grown(self, lease: Lease) -> Lease:
        """A buffer twice the size with the same bytes, for a lease that is full; `Full` leaves that as it was."""
        larger = self.lease(lease.size * 2)
        larger.view[: lease.filled] = lease.view[: lease.filled]
        larger.filled = lease.filled
        self.give_back(lease)
        return larger

    def give_back(self, lease: Lease) -> None:
        """End the lease. No view of it may be used afterwards."""
        size = lease.size
        self.leased -= size
        lease.filled = 0
        if self._free_bytes + size > _KEPT:
            # What is given back now is of the size that is wanted now; others may be left from a burst long ago.
            self._free = {size: self._free.get(size, [])}
            self._free_bytes = size * len(self._free[size])
            if self._free_bytes + size > _KEPT:
                return
        self._free_bytes += size
        self._free.setdefault(size, []).append(lease)
