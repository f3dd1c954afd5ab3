"""The page of the command line says what the commands do, and every command says something."""

import subprocess
import sys
from pathlib import Path

from cloudctl.cli.main import Cloudctl

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from make_cli import PAGE, page
    finally:
        sys.path.remove(str(ROOT / "docs"))
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python docs/make_cli.py"


def test_every_command_says_its_promise_in_one_sentence() -> None:
    app = Cloudctl()
    for name, entry in app.command_manager:
        first = entry.load()(app, None, cmd_name=name).get_description().split("\n")[0]
        assert first, name


def test_completion_knows_every_noun() -> None:
    program = Path(sys.executable).parent / "cloudctl"
    done = subprocess.run([program, "complete"], capture_output=True, text=True, check=True)
    for noun in ("request", "quota", "topology", "lab", "audit"):
        assert noun in done.stdout


def test_help_lists_the_commands_and_no_command_asks_for_help() -> None:
    program = Path(sys.executable).parent / "cloudctl"
    for argv in ([], ["--help"], ["help"]):
        done = subprocess.run([program, *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "request create vm" in done.stdout
        assert "Could not load" not in done.stdout
