"""A small file that others replace: certificates, keys, tokens. `net.access` reads them anew when they change."""

import os

from podtide.core.model.reading import Failure, Reason

LARGEST = 1024 * 1024
"""Bytes. The system's whole collection of authorities is a quarter of this."""


class File:
    """The current content of a file. Looking again costs one `stat` while it stays as it is."""

    __slots__ = ("_content", "_seen", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._content = b""
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> bytes | Failure:
        """The content, or why it cannot be had. Kubernetes swaps a mounted file by a link, which changes the inode."""
        try:
            found = os.stat(self.path)
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                with open(self.path, "rb") as file:
                    self._content = file.read(LARGEST + 1)
                self._seen = seen
        except OSError as error:
            self._seen = None
            return Failure(Reason.CREDENTIALS, f"{self.path} cannot be read: {error.strerror}")
        if len(self._content) > LARGEST:
            return Failure(Reason.CREDENTIALS, f"{self.path} is larger than {LARGEST} bytes")
        return self._content
