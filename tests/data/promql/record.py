"""Ask a real Prometheus server for rates, increases and quantiles of made-up counters, and keep its answers.

    apt-get install prometheus && python tests/data/promql/record.py

writes `promql.json.gz` beside this file. Tests read that file only.
"""

import gzip
import json
import random
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

NOW = 1_700_000_000.0
WINDOW = 180
PORT = 19790
BOUNDS = ("0.005", "0.1", "0.5", "1.0", "2.5", "10", "+Inf")
QUANTILES = (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0)

Points = list[tuple[float, float]]


def instants(random_: random.Random) -> list[float]:
    """When a pod was scraped: an interval with jitter, misses, a late start or an early end."""
    interval = random_.choice((2.0, 5.0, 15.0, 40.0))
    first = random_.choice((NOW - WINDOW - 60, NOW - WINDOW - 60, NOW - random_.uniform(20, WINDOW)))
    last = random_.choice((NOW, NOW, NOW - random_.uniform(0, 60)))
    missed = random_.choice((0.0, 0.1, 0.6))
    at, found = first + random_.uniform(0, interval), []
    while at < last:
        if random_.random() >= missed:
            found.append(round(at + random_.uniform(0, interval / 10), 3))
        at += interval
    return found


def counter(random_: random.Random) -> Points:
    """A counter that may begin at zero, near it or high, stand still, grow, and start again."""
    value = random_.choice((0.0, 1.0, random_.uniform(0, 50), 1e6))
    speed = random_.choice((0.0, 1.0, 20.0))
    points = []
    for at in instants(random_):
        value = random_.choice((0.0, 2.0)) if random_.random() < 0.03 else round(value + speed * random_.random(), 3)
        points.append((at, value))
    return points


def histogram(random_: random.Random, share: float) -> dict[str, Points]:
    """The buckets of one pod; each observation falls into a random one and all above."""
    counts = [0] * len(BOUNDS)
    found: dict[str, Points] = {bound: [] for bound in BOUNDS}
    for at in instants(random_):
        for _ in range(random_.randrange(0, 6) if share else 0):
            place = min(int(random_.expovariate(share)), len(BOUNDS) - 1)
            counts = [count + (index >= place) for index, count in enumerate(counts)]
        if random_.random() < 0.02:
            counts = [0] * len(BOUNDS)
        for bound, count in zip(BOUNDS, counts, strict=True):
            found[bound].append((at, float(count)))
    return found


def main() -> None:
    """Make the counters, load them into a server, query it, write the file."""
    random_ = random.Random(20)
    counters = {str(index): counter(random_) for index in range(300)}
    shares = (0.0, 0.2, 0.5, 1.0, 3.0)
    histograms = {
        str(index): {f"pod-{pod}": histogram(random_, shares[index % len(shares)]) for pod in range(1 + index % 3)}
        for index in range(40)
    }
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page"
        page.write_text(exposition(counters, histograms))
        data = Path(folder) / "data"
        run("promtool", "tsdb", "create-blocks-from", "openmetrics", str(page), str(data))
        answers = ask(Path(folder), data)
    version = run("prometheus", "--version").split()[2]
    recorded = {
        "server": f"Prometheus {version}",
        "now": NOW,
        "window": WINDOW,
        "counters": counters,
        "histograms": histograms,
        **answers,
    }
    target = Path(__file__).with_name("promql.json.gz")
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        file.write(json.dumps(recorded, separators=(",", ":")).encode())


def run(*command: str) -> str:
    """What a program prints; CalledProcessError if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exposition(counters: dict[str, Points], histograms: dict[str, dict[str, dict[str, Points]]]) -> str:
    """All series with their time stamps, as OpenMetrics."""
    lines = ["# TYPE c counter"]
    for name, points in counters.items():
        lines += [f'c_total{{id="{name}"}} {value!r} {at:.3f}' for at, value in points]
    lines.append("# TYPE h histogram")
    for name, pods in histograms.items():
        for pod, buckets in pods.items():
            for bound, points in buckets.items():
                lines += [
                    f'h_bucket{{id="{name}",pod="{pod}",le="{bound}"}} {value!r} {at:.3f}' for at, value in points
                ]
    return "\n".join([*lines, "# EOF", ""])


def ask(folder: Path, data: Path) -> dict[str, Any]:
    """The server's answers to every query."""
    configuration = folder / "prometheus.yml"
    configuration.write_text("scrape_configs: []\n")
    server = subprocess.Popen(
        [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{PORT}",
        ]
    )
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ready", timeout=1).read()
                break
            except OSError:
                time.sleep(0.2)
        return {
            "rate": query(f"rate(c_total[{WINDOW}s])"),
            "increase": query(f"increase(c_total[{WINDOW}s])"),
            "quantiles": {
                str(q): query(f"histogram_quantile({q}, sum by (id, le) (rate(h_bucket[{WINDOW}s])))")
                for q in QUANTILES
            },
        }
    finally:
        server.terminate()
        server.wait(10)


def query(text: str) -> dict[str, str]:
    """The vector's values by the series' id."""
    arguments = urllib.parse.urlencode({"query": text, "time": NOW})
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/v1/query?{arguments}", timeout=30) as answer:
        result = json.load(answer)["data"]["result"]
    return {entry["metric"]["id"]: entry["value"][1] for entry in result}


if __name__ == "__main__":
    main()
