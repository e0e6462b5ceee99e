"""Writes what every worker saw and decided to a file, for `podtide replay`. `control.fleet` gives each worker a tape.

Files rotate: FILE is the newest, FILE.1 the one before. The disk is never filled, and a disk that is full or a
directory that is gone ends the recording and nothing else.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from podtide.api import recording
from podtide.api.settings import Settings
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.reading import Reading
from podtide.core.model.view import TargetView

log = logging.getLogger(__name__)

FILES = 4
"""Files that are kept, the newest among them."""


class Recorder:
    """The files of one controller process."""

    def __init__(self, path: Path, settings: Settings, *, limit: int) -> None:
        """`limit` is the most bytes of all files together. Raises OSError where the file cannot be written.

        What another process has recorded there, one that crashed perhaps, becomes the file before.
        """
        self.settings = settings
        self.number = 0
        """Counts the files begun; a tape that has not begun in the newest one has to."""
        self._path = path
        self._each = max(1, limit // FILES)
        self._file: IO[bytes] | None = None
        self._size = 0
        if path.exists() and not path.is_file():
            # Rotating would rename a device, or a directory.
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if path.exists() and path.stat().st_size:
            self._rotate()
        else:
            self._open()

    def tape(self, autoscaler: str, manifest: Mapping[str, Any]) -> "Tape":
        """One autoscaler's part of the recording."""
        return Tape(self, autoscaler, manifest)

    def write(self, line: bytes) -> None:
        """Add a line, in a new file if this one is full."""
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._size += len(line)
            if self._size >= self._each:
                self._rotate()
        except OSError as error:
            log.error("the recording ends: %s cannot be written: %s", self._path, error)
            self.close()

    def close(self) -> None:
        """Nothing is recorded from now on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        # Unbuffered, so that what was decided before a crash is there after it.
        # Nobody else may read it, not even for a moment.
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0)
        self._path.chmod(0o600)
        self._size = 0
        self.number += 1

    def _rotate(self) -> None:
        self.close()
        for place in range(FILES - 1, 0, -1):
            older = self._named(place - 1)
            if older.exists():
                older.replace(self._named(place))
        self._open()

    def _named(self, place: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{place}") if place else self._path


class Tape:
    """One worker's lines."""

    def __init__(self, recorder: Recorder, autoscaler: str, manifest: Mapping[str, Any]) -> None:
        self._recorder = recorder
        self._autoscaler = autoscaler
        self._manifest = manifest
        self._begun_in = 0
        self._pods: object = None

    def begin(self, memory: Memory, now: float) -> None:
        """What is remembered before the first tick, or before the next one."""
        self._begun_in = self._recorder.number
        self._pods = None
        self._recorder.write(
            recording.begin(self._autoscaler, now, self._manifest, self._recorder.settings, memory.snapshot())
        )

    def tick(
        self,
        now: float,
        view: TargetView,
        readings: Iterable[Reading],
        decision: Decision,
        applied: Applied,
        memory: Memory,
    ) -> None:
        """One tick that has been settled. In a new file what is remembered comes first, and this tick is in that."""
        if self._begun_in != self._recorder.number:
            self.begin(memory, now)
            return
        with_pods = self._pods is None or view.pods is not self._pods
        self._pods = view.pods
        self._recorder.write(recording.tick(now, view, readings, decision, applied, with_pods=with_pods))


Tapes = Callable[[str, Mapping[str, Any]], Tape]
"""Makes an autoscaler's tape."""
