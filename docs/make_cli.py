"""Writes docs/cli.md from the commands themselves: `python docs/make_cli.py`. A test compares the two."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudctl.cli import exits
from cloudctl.cli.main import Cloudctl

PAGE = Path(__file__).parent / "cli.md"
SHARED = frozenset(
    "--format --column --noindent --sort-column --sort-ascending --sort-descending --quote --max-width "
    "--fit-width --print-empty --prefix --variable --help".split()
)
HEAD = """# The command line

<!-- written by docs/make_cli.py from the commands themselves; do not edit -->

`cloudctl` speaks to the server's REST API: over the socket in `CLOUDCTL_HOME` (default `~/.cloudctl`),
or `--server URL` / `CLOUDCTL_SERVER`. It signs in with a personal token from `CLOUDCTL_TOKEN`,
`--token-file` or `CLOUDCTL_HOME/token` (written by `cloudctl login`); a token is never an argument. Only
`init`, `doctor`, `serve`, `worker`, `lab` and a recorded `--break-glass` run without the server.

Ids or names are accepted everywhere. Listing and showing commands know `-f table|json|yaml|csv|value`
(showing ones `shell` too), `-c COLUMN` (any key of the API), `--sort-column`, `--noindent`. JSON and
YAML have every key of a row and show Chinese as it is written; a table shows the usual columns, and
times in the reader's zone. Long work shows a bar on a terminal, and nothing but the result when piped.
`--debug` shows the calls, without the token. `cloudctl complete` prints a completion script for bash:
`cloudctl complete | sudo tee /etc/bash_completion.d/cloudctl`.

Errors go to stderr: `code: message`, then each fault on a line of its own.

| exit code | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    lines += [f"| {code} | {words} |" for code, words in exits.MEANING.items()]
    app = Cloudctl()
    entries = sorted(
        (name, entry.load()) for name, entry in app.command_manager if name not in ("help", "complete")
    )
    noun = ""
    for name, factory in entries:
        if name.split()[0] != noun:
            noun = name.split()[0]
            lines += ["", f"## {noun}"]
        lines += ["", *command(name, factory(app, None, cmd_name=name))]
    return "\n".join(lines) + "\n"


def command(name: str, made: object) -> Iterator[str]:
    """One command: how it is called, what it promises, its arguments."""
    parser: argparse.ArgumentParser = made.get_parser(f"cloudctl {name}")  # type: ignore[attr-defined]
    promise, _, more = (parser.description or "").partition("\n")
    actions = [action for action in parser._actions if not SHARED & set(action.option_strings)]
    words = " ".join(_usage(action) for action in actions)
    yield f"### cloudctl {name}"
    yield ""
    yield f"    cloudctl {name} {words}".rstrip()
    yield ""
    yield promise
    if more.strip():
        yield ""
        yield " ".join(more.split())
    told = [action for action in actions if action.help and action.help is not argparse.SUPPRESS]
    if told:
        yield ""
    for action in told:
        yield f"- `{_call(action)}`: {action.help}"


def _usage(action: argparse.Action) -> str:
    call = _call(action)
    if not action.option_strings:
        return f"[{call}]" if action.nargs == "?" else f"{call}..." if action.nargs == "+" else call
    return call if action.required else f"[{call}]"


def _call(action: argparse.Action) -> str:
    value = action.metavar or (
        f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return str(value)
    option = max(action.option_strings, key=len)
    return option if action.nargs == 0 else f"{option} {value}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written\n")
