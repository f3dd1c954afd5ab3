"""From page to PDF through a process of its own: bounded in time, seen step by step, nothing secret in it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from cloudctl.errors import CloudctlError, Misconfigured, TimedOut
from tenants.bulletin.pdf import FONT_PACKAGE, NO_FONT, NO_LIBRARY, PACKAGES

LIMIT_S = 300  # a province with its departments takes a few seconds
_KEPT = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "FONTCONFIG_PATH", "FONTCONFIG_FILE")
_TOLD_MOST = 2000

OnStep = Callable[[int], None]


def to_pdf(html: str, on_step: OnStep = lambda _step: None, limit_s: int = LIMIT_S) -> bytes:
    """The page as PDF; `on_step` is told each step (1 to `pdf.STEPS`) as it begins.

    Misconfigured when the machine has no Pango or no Chinese font: a PDF of boxes is never made. TimedOut
    after `limit_s`. What `on_step` raises ends the work as well.
    """
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "tenants.bulletin.pdf", str(limit_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**{name: os.environ[name] for name in _KEPT if name in os.environ}, "LC_ALL": "C.UTF-8"},
    )
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        child.kill()

    timer = threading.Timer(limit_s, stop)
    timer.start()
    try:
        made, told = _talk(child, html.encode(), on_step)
    finally:
        timer.cancel()
        child.kill()  # nothing when it has ended
        child.wait()
    if is_late.is_set():
        raise TimedOut("the PDF was not made within {seconds} s", seconds=limit_s)
    if child.returncode != 0:
        raise _failure(child.returncode, told)
    return made


def _talk(child: "subprocess.Popen[bytes]", page: bytes, on_step: OnStep) -> tuple[bytes, str]:
    """Give it the page, take the PDF and its steps; the three at once, so that no pipe fills up."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    taken: list[bytes] = []
    writer = threading.Thread(target=_give, args=(child, page), daemon=True)
    reader = threading.Thread(target=lambda: taken.append(child.stdout.read()), daemon=True)  # type: ignore[union-attr]
    writer.start()
    reader.start()
    told = ""
    for line in child.stderr:
        word, _, number = line.decode(errors="replace").strip().partition(" ")
        if word == "step" and number.isdigit():
            on_step(int(number))
        else:
            told = (told + line.decode(errors="replace"))[-_TOLD_MOST:]
    writer.join()
    reader.join()
    child.wait()
    return b"".join(taken), told.strip()


def _give(child: "subprocess.Popen[bytes]", page: bytes) -> None:
    assert child.stdin is not None
    try:
        with child.stdin:
            child.stdin.write(page)
    except BrokenPipeError:
        pass  # it ended before it had read all; its exit code says why


def _failure(code: int, told: str) -> CloudctlError:
    hint = "run: apt-get install {packages}"
    if code == NO_FONT:
        template = "no Chinese font is installed, and a PDF would show boxes"
        return Misconfigured(template, hint=hint, packages=FONT_PACKAGE)
    if code == NO_LIBRARY:
        template = "the libraries that make a PDF are not installed: {detail}"
        return Misconfigured(template, hint=hint, packages=PACKAGES, detail=told or "-")
    last = told.splitlines()[-1] if told else "-"
    return CloudctlError("the PDF could not be made: {detail} (exit {exit})", detail=last, exit=code)
