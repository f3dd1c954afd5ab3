"""The PDF: made in another process, in Chinese with embedded fonts, or refused with what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudctl.errors import CloudctlError, Misconfigured, TimedOut
from tenants.bulletin import page
from tenants.bulletin.pdf import STEPS, chinese_fonts
from tenants.bulletin.printing import to_pdf
from tests.bulletins import a_bulletin

SMALL = '<html lang="zh-CN"><style>p { color: red }</style><p>广西壮族自治区 94.99%</p></html>'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PDF of a bulletin of realistic size."""
    path = tmp_path_factory.mktemp("pdf") / "bulletin.pdf"
    path.write_bytes(to_pdf(page.render(a_bulletin())))
    return path


def run(*argv: str | Path) -> str:
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, check=True).stdout


def test_the_text_of_the_pdf_comes_back_as_chinese(made: Path) -> None:
    text = "".join(run("pdftotext", made, "-").split())
    for words in (
        "关于2026年11月全区政务信息系统上云情况的通报",
        "防城港市",
        "党委网络安全和信息化委员会办公室",
        "附件3",
    ):
        assert words in text, words
    assert "\ufffd" not in text


def test_every_font_of_the_pdf_is_embedded_and_shows_chinese(made: Path) -> None:
    fonts = run("pdffonts", made).splitlines()[2:]
    assert fonts
    for line in fonts:
        name, *_, is_embedded, is_subset, has_unicode, _, _ = line.split()
        assert "CJK" in name, line
        assert (is_embedded, is_subset, has_unicode) == ("yes", "yes", "yes"), line


def test_pages_are_a4_and_numbered(made: Path) -> None:
    assert "595.276 x 841.89 pts (A4)" in run("pdfinfo", made)
    count = int(
        next(line for line in run("pdfinfo", made).splitlines() if line.startswith("Pages")).split()[1]
    )
    for number in (1, count):
        shown = "".join(run("pdftotext", "-f", str(number), "-l", str(number), made, "-").split())
        assert shown.endswith(f"—{number}—")


def test_each_step_is_told_once_and_in_order() -> None:
    steps: list[int] = []
    assert to_pdf(SMALL, steps.append).startswith(b"%PDF")
    assert steps == list(range(1, STEPS + 1))


def test_the_server_never_loads_the_library() -> None:
    code = (
        "import sys; from cloudctl import bootstrap, doctor; from tenants.bulletin import flow, reports;"
        "print([name for name in ('weasyprint', 'fontTools', 'xlsxwriter') if name in sys.modules])"
    )
    assert run(sys.executable, "-c", code).strip() == "[]"


def test_without_a_chinese_font_no_pdf_is_made_and_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = tmp_path / "fonts.conf"
    nothing.write_text("<fontconfig></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(nothing))
    with pytest.raises(Misconfigured, match="no Chinese font") as caught:
        to_pdf(SMALL)
    assert "fonts-noto-cjk" in str(caught.value)


def test_without_fontconfig_the_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured) as caught:
        to_pdf(SMALL)
    assert "libpango-1.0-0" in str(caught.value)


def test_a_pdf_that_takes_too_long_is_given_up_and_its_process_ends() -> None:
    running: list[int] = []

    def look(_step: int) -> None:
        if not running:
            found = run("pgrep", "-P", str(os.getpid()), "-f", "tenants.bulletin.pdf")
            running.extend(map(int, found.split()))

    with pytest.raises(TimedOut, match="within 1 s"):
        to_pdf("<p>云</p>" * 200_000, look, limit_s=1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in running)


def test_whoever_watches_can_end_it() -> None:
    def lost(_step: int) -> None:
        raise CloudctlError("lost")

    with pytest.raises(CloudctlError, match="lost"):
        to_pdf(SMALL, lost)


def test_nothing_outside_the_page_is_fetched() -> None:
    outside = '<p>云</p><img src="file:///etc/passwd"><link rel="stylesheet" href="file:///etc/hostname">'
    assert b"root:" not in to_pdf(outside)


def a_child(monkeypatch: pytest.MonkeyPatch, path: Path, script: str) -> None:
    """Something else in the place of the process that makes the PDF."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def test_the_process_is_told_nothing_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDCTL_TOKEN", "cct_secret")
    monkeypatch.setenv("CLOUDCTL_DATABASE", "postgresql://cloudctl:secret@db/cloudctl")
    a_child(monkeypatch, tmp_path / "child", 'cat > /dev/null; env; echo "$@"')
    told = to_pdf(SMALL).decode()
    assert "PATH=" in told
    assert "secret" not in told
    assert "广西" not in told


def test_what_the_process_says_when_it_fails_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_child(monkeypatch, tmp_path / "child", "echo step 1 >&2; echo MemoryError: too big >&2; exit 9")
    steps: list[int] = []
    with pytest.raises(CloudctlError, match=r"MemoryError: too big \(exit 9\)"):
        to_pdf(SMALL * 10_000, steps.append)  # more than a pipe holds, and nobody reads it
    assert steps == [1]


def test_the_fonts_of_this_machine_are_found() -> None:
    assert any("CJK" in name for name in chinese_fonts())
