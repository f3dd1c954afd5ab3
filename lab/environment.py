"""The Python environment in which OpenStack runs: Debian's Python, the versions of the lock file."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from lab.commands import SYSTEM_PATH, run
from lab.errors import LabError
from lab.layout import Layout

LOCK = Path(__file__).parent / "requirements.lock"
#: Debian's own, because only it has the bindings of Ceph.
_PYTHON = "/usr/bin/python3"
_BINDINGS = Path("/usr/lib/python3/dist-packages")


def lock_digest() -> str:
    """Stands for the versions of everything that is installed from the lock file."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def is_current(layout: Layout) -> bool:
    """True if the environment was finished from the lock file as it is now."""
    stamp = _stamp(layout)
    return stamp.exists() and stamp.read_text() == lock_digest()


def create(layout: Layout, log: Path) -> None:
    """Makes the environment from the lock file; may be called again after it was interrupted."""
    env = dict(os.environ) | {"VIRTUAL_ENV": str(layout.venv)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env["PATH"] = f"{env.get('PATH', '')}:{SYSTEM_PATH}"
    run([*_uv(), "venv", "--allow-existing", "--python", _PYTHON, str(layout.venv)], log=log, env=env)
    # Without the compiled files each of some 30 daemons would compile its imports at each start.
    python = str(layout.venv / "bin" / "python")
    sync = [*_uv(), "pip", "sync", "--compile-bytecode", "--python", python, str(LOCK)]
    run(sync, log=log, env=env, timeout_s=1200)


def finish(layout: Layout) -> None:
    """Lets the environment see Debian's bindings of Ceph, and marks it as done."""
    for name in ("rados", "rbd"):
        found = sorted(_BINDINGS.glob(f"{name}.cpython-311-*.so"))
        if not found:
            raise LabError(f"python3-{name} has no module for Python 3.11; the lab needs Debian 12")
        link = layout.site_packages / found[0].name
        link.unlink(missing_ok=True)
        link.symlink_to(found[0])
    _stamp(layout).write_text(lock_digest())


def _uv() -> list[str]:
    beside = Path(sys.executable).parent / "uv"
    if beside.exists():
        return [str(beside)]
    found = shutil.which("uv")
    return [found] if found else [sys.executable, "-m", "uv"]


def _stamp(layout: Layout) -> Path:
    return layout.venv / "lab-lock"
