"""`podtide run` as processes of their own: what only a process can suffer."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.site import Site


@dataclass
class Process:
    """One replica of the controller."""

    running: asyncio.subprocess.Process
    log: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.running.send_signal(number)

    async def ended(self, within: float) -> int:
        """Its exit code."""
        async with asyncio.timeout(within):
            return await self.running.wait()

    async def said(self, text: str, within: float = 30.0) -> str:
        """Wait until its log has a text; returns the log."""
        async with asyncio.timeout(within):
            while text not in self.log.read_text():
                assert self.running.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return self.log.read_text()


@asynccontextmanager
async def podtide(site: Site, directory: Path, name: str, *options: str) -> AsyncIterator[Process]:
    """A controller on the site's namespace, called `name`; killed in the end if it still runs."""
    log = directory / f"{name}.log"
    arguments = ["run", "--kubeconfig", site.kubeconfig, "--namespace", site.namespace]
    arguments += ["--lease-namespace", site.namespace, "--metrics-host", "127.0.0.1"]
    arguments += ["--metrics-port", "0", "--health-port", "0"]
    with log.open("w") as stderr:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "podtide",
            *arguments,
            *options,
            stderr=stderr,
            env={**os.environ, "POD_NAME": name},
        )
        process = Process(running, log)
        try:
            yield process
        finally:
            if running.returncode is None:
                running.send_signal(signal.SIGCONT)
                running.kill()
                await running.wait()
