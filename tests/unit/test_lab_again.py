"""What starts a daemon of the lab again: after an abort, and after nothing else."""

import subprocess
from pathlib import Path

from lab.services import _AGAIN


def runs_of(tmp_path: Path, *endings: str) -> int:
    """How often a program was begun that ends like this, one ending after the other."""
    program = tmp_path / "program"
    cases = "".join(f"{number}) {ending} ;;\n" for number, ending in enumerate(endings, 1))
    program.write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/runs\ncase $(wc -l <{tmp_path}/runs) in\n{cases}esac\n"
    )
    program.chmod(0o755)
    subprocess.run(["/bin/sh", "-c", _AGAIN, "again", str(program)], check=False, timeout=20)
    return len((tmp_path / "runs").read_text().splitlines())


def test_what_aborts_is_started_again_and_what_ends_otherwise_is_not(tmp_path: Path) -> None:
    assert runs_of(tmp_path, "kill -ABRT $$", "kill -ABRT $$", "exit 0", "exit 0") == 3


def test_a_daemon_that_fails_or_is_killed_is_left_to_whoever_looks(tmp_path: Path) -> None:
    assert runs_of(tmp_path, "kill -KILL $$", "exit 0") == 1
