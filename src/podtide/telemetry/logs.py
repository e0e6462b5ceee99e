"""Log lines: one JSON object each in a cluster, short and aligned at a terminal. Set up once by the CLI.

Whatever is passed as `extra={"fields": {...}}` becomes fields of the line. Secrets are never passed.
"""

import json
import logging
import sys
import time
from typing import Literal

Format = Literal["auto", "json", "human"]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        # A metric may be called as one of these; they must stay what they are.
        line |= {key: value for key, value in getattr(record, "fields", {}).items() if key not in line}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """`12:03:44 INFO  message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={value}" for key, value in getattr(record, "fields", {}).items())
        line = f"{clock} {record.levelname:<7} {_printable(record.getMessage() + fields)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _printable(text: str) -> str:
    """One line without what speaks to a terminal: objects are named, and metrics called, by whoever makes them."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def setup(level: str = "info", form: Format = "auto") -> None:
    """Send the log to standard error; `auto` is human at a terminal and JSON elsewhere."""
    handler = logging.StreamHandler()
    for_humans = form == "human" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if for_humans else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("asyncio", "httpx", "httpcore", "aiohttp", "kubernetes"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
