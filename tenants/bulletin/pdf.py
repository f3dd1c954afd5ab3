"""HTML on stdin, PDF on stdout: a process of its own, because WeasyPrint's memory would stay in the server.

    python -m tenants.bulletin.pdf SECONDS < page.html > page.pdf

Writes a line `step N` on stderr as it comes along (N of STEPS). Ends with NO_LIBRARY when Pango is not
installed, with NO_FONT when no Chinese font is. Fetches nothing: the page has all it needs inside.
"""

import ctypes
import logging
import os
import re
import resource
import subprocess
import sys

STEPS = 7  # as WeasyPrint counts them
NO_LIBRARY, NO_FONT = 3, 4
LIBRARIES = (
    "libpango-1.0.so.0",
    "libpangoft2-1.0.so.0",
    "libharfbuzz.so.0",
    "libharfbuzz-subset.so.0",  # without it fonts are cut in Python, which takes seconds each
    "libfontconfig.so.1",
)
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
FONT_PACKAGE = "fonts-noto-cjk"
_STEP = re.compile(r"Step (\d)")


class _Steps(logging.Handler):
    """Says each step once."""

    last = 0

    def emit(self, record: logging.LogRecord) -> None:
        found = _STEP.match(record.getMessage())
        if found and int(found[1]) > self.last:
            self.last = int(found[1])
            sys.stderr.write(f"step {self.last}\n")
            sys.stderr.flush()


def chinese_fonts() -> list[str]:
    """The families that can show Chinese, as fontconfig knows them. OSError when there is no fontconfig."""
    listed = subprocess.run(
        ["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=False, timeout=60
    )
    return sorted({line.split(",")[0].strip() for line in listed.stdout.splitlines() if line.strip()})


def missing_libraries() -> list[str]:
    """The system's libraries that WeasyPrint needs and that cannot be loaded."""
    missing = []
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def main(seconds: int) -> int:
    """Make the PDF within so many seconds of computing; the exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # also when nobody waits any more
    os.nice(5)  # people at the portal come first
    try:
        if not chinese_fonts():
            return NO_FONT
        import weasyprint  # noqa: PLC0415  # here, so that what is missing can be said
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return NO_LIBRARY
    steps = logging.getLogger("weasyprint.progress")
    steps.setLevel(logging.INFO)
    steps.addHandler(_Steps())
    steps.propagate = False
    html = sys.stdin.buffer.read().decode("utf-8")
    nowhere = weasyprint.urls.URLFetcher(allowed_protocols=())
    made = weasyprint.HTML(string=html, url_fetcher=nowhere).write_pdf(pdf_tags=True, custom_metadata=False)
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
