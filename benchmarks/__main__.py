"""`make bench`: the measurements that take minutes, one after the other. The long ones are commands of their own.

Each runs in a process of its own, so that none measures what another left behind.
"""

import subprocess
import sys

_COMMANDS = (
    ("decide",),
    ("extract",),
    ("scrape", "--compare", "--pods", "1000", "--rounds", "5"),
    ("embedded", "1000"),
    ("health",),
)


def main() -> int:
    """Run all; the exit code is that of the first that failed."""
    failed = 0
    for name, *arguments in _COMMANDS:
        print(f"\n== python -m benchmarks.{' '.join((name, *arguments))}", flush=True)
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False)
        failed = failed or ended.returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
