"""The reference of every command and flag, as Markdown: `python -m podtide.cli.reference` prints docs/cli.md.

Made from the parser's own entries and not from its help text, whose form changes with Python's version.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping

from podtide.cli import main

_OPENING = """\
<!-- Made by `python -m podtide.cli.reference`; to change it, change src/podtide/cli. -->
# Command line

"""


def markdown() -> str:
    """The whole page."""
    top = main.parser()
    return _OPENING + "".join([f"{top.description} {top.epilog}\n", *_commands(top)])


def _commands(top: argparse.ArgumentParser) -> Iterator[str]:
    for name, command in _subparsers(top).items():
        yield f"\n## podtide {name}\n\n{_escaped(command.description or '')}\n"
        for title, actions in _groups(command):
            yield f"\n| {title} | meaning |\n|---|---|\n"
            yield from (f"| {_called(action)} | {_meaning(action)} |\n" for action in actions)
        if command.epilog:
            yield f"\n{_escaped(command.epilog)}\n"


def _subparsers(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    (found,) = (
        action
        for action in top._actions  # noqa: SLF001  (argparse shows its entries nowhere else)
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    choices: Mapping[str, argparse.ArgumentParser] = found.choices
    return choices


def _groups(command: argparse.ArgumentParser) -> Iterator[tuple[str, Iterable[argparse.Action]]]:
    for group in command._action_groups:  # noqa: SLF001
        shown = [
            action
            for action in group._group_actions  # noqa: SLF001
            if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS  # noqa: SLF001
        ]
        if shown:
            yield (
                {"positional arguments": "argument", "options": "flag"}.get(group.title or "", group.title or ""),
                shown,
            )


def _called(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{_value(action)}`"
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(f"`{name}{value}`" for name in action.option_strings)


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default}
    required = " Required." if action.required and action.option_strings else ""
    return _escaped(text).replace("|", "\\|") + required


def _escaped(text: str) -> str:
    """Markdown would take these for markup."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    sys.stdout.write(markdown())
