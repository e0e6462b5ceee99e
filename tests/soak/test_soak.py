"""A short soak; a process of its own starts and kills the others."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.e2e
async def test_nothing_is_lost_and_nothing_shrunk_by_mistake() -> None:
    soak = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.soak", "--minutes", "0.2", "--seed", "3",
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await soak.communicate())[0].decode()
    assert soak.returncode == 0, said
    # How often depends on how fast the machine is.
    for done in ("killed in mid-patch", "paused beyond the Lease", "server restarts", "raised"):
        assert re.search(rf"\b[1-9]\d* {done}", said), said
