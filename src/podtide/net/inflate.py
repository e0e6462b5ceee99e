"""A gzip body, decompressed as it arrives and never beyond the page limit. Called by `net.answer`."""

import zlib

from podtide.core.model.reading import Reason
from podtide.net import framing, wire

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 1 << 16


class Inflater:
    """One gzip member; whatever follows it is refused."""

    __slots__ = ("_limit", "_stream", "_text", "taken")

    def __init__(self, limit: int) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._limit = limit
        self.taken = 0
        """Compressed bytes read so far."""
        self._text = bytearray()  # a bomb costs the limit and one step more

    def feed(self, piece: memoryview) -> None:
        """Decompress the next bytes. Raises `wire.Refused`."""
        self.taken += len(piece)
        if self._stream.eof and piece:
            raise wire.Refused(Reason.CONTENT, "bytes behind the end of the gzip body")
        data: bytes | memoryview = piece
        try:
            while data:
                self._text += self._stream.decompress(data, _STEP)
                framing.check_size(len(self._text), self._limit)
                data = self._stream.unconsumed_tail
        except zlib.error as error:
            raise wire.Refused(Reason.CONTENT, f"not the gzip it says it is: {error}") from error
        if self._stream.unused_data:
            raise wire.Refused(Reason.CONTENT, "bytes behind the end of the gzip body")

    def finish(self) -> memoryview:
        """The whole text. Raises `wire.Refused` when the body ends inside its compressed stream."""
        if not self._stream.eof:
            raise wire.Refused(Reason.CONTENT, "the gzip body ends too early")
        return memoryview(self._text)
