"""What every test room needs."""

import asyncio


def pytest_configure() -> None:
    """Say that the main thread has no event loop yet.

    Otherwise Python 3.11 makes one for pytest-asyncio, which looks for a loop to put back after a test and never
    closes it, and a later test is blamed for the ResourceWarning.
    """
    asyncio.set_event_loop(None)
