"""The benchmark's own answer: one line that counts what was asked, against its own servers."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import compare, pages

ROOT = Path(__file__).parents[2]


def scrape(targets: Path, metric: str) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.scrape",
        "--targets",
        str(targets),
        "--metric",
        metric,
        "--rounds",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.count("\n") == 1
    told: dict[str, float] = json.loads(done.stdout)
    return told


def test_one_line_tells_what_came_of_every_scrape(tmp_path: Path) -> None:
    targets = tmp_path / "targets"
    with compare.server() as port:
        lines = [f"http://127.0.1.{at}:{port}/20" for at in range(1, 4)]
        targets.write_text("\n".join(["# pods", *lines, ""]))
        told = scrape(targets, pages.METRIC)
        assert (told["targets"], told["rounds"], told["ok"], told["failed"]) == (3, 2, 6, 0)
        assert set(told) == {
            "targets", "rounds", "ok", "failed", "wall_s", "cpu_s", "max_rss_mb", "p50_ms", "p99_ms",
        }  # fmt: skip
        assert 0 < told["p50_ms"] <= told["p99_ms"]
        missing = scrape(targets, "no:such_metric")
        assert (missing["ok"], missing["failed"]) == (0, 6)
