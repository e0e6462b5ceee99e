import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podtide.api import recording
from podtide.api.recording import Begin, Tick
from podtide.api.settings import Settings
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Outcome
from podtide.core.model.view import TargetView
from podtide.telemetry.record import FILES, Recorder, Tape
from tests.api import decisions
from tests.core import ticks

VIEW = TargetView(1.0, 2, 2, "1", ticks.pods(2))
MANIFEST = {"metadata": {"name": "web"}, "spec": {}}


def tick(tape: Tape, now: float, view: TargetView = VIEW) -> None:
    tape.tick(now, view, [], decisions.UP, Applied(Outcome.UNCHANGED, 2), Memory(now))


def read(path: Path) -> list[Begin | Tick]:
    with path.open("rb") as lines:
        return list(recording.read(lines, path.name))


@contextmanager
def recorder(path: Path, limit: int = 1 << 20) -> Iterator[Recorder]:
    made = Recorder(path, Settings(), limit=limit)
    try:
        yield made
    finally:
        made.close()


def tape(made: Recorder) -> Tape:
    return made.tape(str(decisions.UP.key), MANIFEST)


def test_a_tape_begins_with_what_is_remembered(tmp_path: Path) -> None:
    with recorder(tmp_path / "rec") as made:
        one = tape(made)
        one.begin(Memory(5.0), 5.0)
        tick(one, 6.0)
        tick(one, 7.0)
    begun, first, second = read(tmp_path / "rec")
    assert isinstance(begun, Begin)
    assert isinstance(first, Tick)
    assert isinstance(second, Tick)
    assert (first.at, second.at) == (6.0, 7.0)
    assert second.view.pods == VIEW.pods


def test_pods_are_written_when_they_have_changed(tmp_path: Path) -> None:
    sizes = []
    with recorder(tmp_path / "rec") as made:
        one = tape(made)
        one.begin(Memory(5.0), 5.0)
        for now, view in ((6.0, VIEW), (7.0, VIEW), (8.0, TargetView(1.0, 3, 3, "2", ticks.pods(3)))):
            before = (tmp_path / "rec").stat().st_size
            tick(one, now, view)
            sizes.append((tmp_path / "rec").stat().st_size - before)
    assert sizes[1] < min(sizes[0], sizes[2]) - 200
    last = read(tmp_path / "rec")[-1]
    assert isinstance(last, Tick)
    assert len(last.view.pods) == 3


def test_files_rotate_within_the_limit_and_each_can_be_replayed(tmp_path: Path) -> None:
    limit = 64 * 1024
    with recorder(tmp_path / "rec", limit) as made:
        tapes = [tape(made), tape(made)]
        for one in tapes:
            one.begin(Memory(0.0), 0.0)
        for now in range(1, 400):
            for one in tapes:
                tick(one, float(now))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["rec", *(f"rec.{number}" for number in range(1, FILES))]
    assert sum(file.stat().st_size for file in files) < limit + FILES * 4096
    assert all(isinstance(read(file)[0], Begin) for file in files)
    assert read(files[1])[0].at < read(files[0])[0].at


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with recorder(tmp_path / "rec"):
        assert (tmp_path / "rec").stat().st_mode & 0o777 == 0o600


def test_what_was_recorded_before_a_crash_is_kept_over_the_restart(tmp_path: Path) -> None:
    for now in (5.0, 50.0):
        with recorder(tmp_path / "rec") as made:
            one = tape(made)
            one.begin(Memory(now), now)
            tick(one, now + 1.0)
    assert [entry.at for entry in read(tmp_path / "rec.1")] == [5.0, 6.0]
    assert [entry.at for entry in read(tmp_path / "rec")] == [50.0, 51.0]


def test_what_cannot_be_rotated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no regular file"), recorder(Path("/dev/null")):
        pass
    with pytest.raises(OSError, match="no regular file"), recorder(tmp_path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_ends_the_recording_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recorder(tmp_path / "rec") as made:
        one = tape(made)
        made.close()
        made._file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)
        one.begin(Memory(5.0), 5.0)
        assert "the recording ends" in caplog.text
        tick(one, 6.0)


def test_a_directory_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), recorder(tmp_path / "none" / "rec"):
        pass
