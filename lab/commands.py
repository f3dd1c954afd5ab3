"""Runs a command to its end; what it printed is kept, and shown when it failed."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    namespace: str | None = None,
    timeout_s: float = 300,
) -> str:
    """Returns what the command printed to its standard output; stderr and failures go to `log`.

    The command dies with us (pdeathsig): a killed `lab up` must not leave half a schema migration running
    beside the next one.
    """
    enter = ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []
    command = ["setpriv", "--pdeathsig", "KILL", "--", *enter, *argv]
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        **(env if env is not None else os.environ),
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{Path(argv[0]).name} did not finish within {timeout_s:.0f} s; log: {log}") from error
    except FileNotFoundError as error:
        raise LabError(f"{error.filename} is missing on this machine") from error
    with log.open("a") as file:
        file.write(
            f"$ {' '.join(argv)}\n{done.stderr[-20000:]}{done.stdout[-20000:] if done.returncode else ''}"
        )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise LabError(f"{Path(argv[0]).name} failed with {done.returncode}: {' | '.join(last)}; log: {log}")
    return done.stdout
