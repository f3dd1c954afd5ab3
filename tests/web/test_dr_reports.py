"""Reports of drills and moves on pages and over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.secrets import Signer
from dr.reports import keeping, levels_file, sealing
from dr.reports.assembling import assemble
from tests.builders import an_actor
from tests.dr_reports import a_drill as given_drill
from tests.recovery_rows import a_drill, a_plan
from tests.web.conftest import Api, Portal


@pytest.fixture
def key(core: Core, province: None) -> str:
    """The id of a report that is kept."""
    sealed = sealing.seal(
        assemble(given_drill(), levels_file.table()), Signer.of(core.settings.keys / "points.key")
    )
    words: dict[str, Any] = {"report": sealed["report"], "report_sha256": sealed["sha256"]}
    number = a_drill(core, a_plan(core, "finance-budget"), state="done", signature=sealed["signature"],
                     verdict="passed", ended_at=core.clock.now(), **words)  # fmt: skip
    return f"drill-{number}"


def test_pages_show_the_figures_and_give_the_files(
    portal: Callable[[str], Portal], key: str, core: Core
) -> None:
    dave = portal("dave")
    listed = dave.get("/recovery/reports/").text
    for words in ("演练与切换报告", "1 分钟 25 秒", "通过", f"/recovery/reports/{key}"):
        assert words in listed, words
    shown = dave.get(f"/recovery/reports/{key}").text
    for words in (
        "目标 15 分钟",
        "故障前已确认 412 条，恢复后找到 404 条，丢失 8 条",
        "隔离原站点",
        "已全部清理",
    ):
        assert words in shown, words
    page = dave.get(f"/recovery/reports/{key}/file?format=html")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert sealing.loaded(page.data) is not None
    assert dave.get("/recovery/reports/drill-999").status_code == 404


def test_a_format_or_language_that_is_none_is_said(api: Callable[..., Api], key: str) -> None:
    answer = api("dave").get(f"/dr/reports/{key}/file", format="docx", language="fr")
    assert answer.status_code == 422
    assert [one["place"] for one in answer.get_json()["faults"]] == ["format", "language"]


def test_the_pdf_is_made_of_the_page(core: Core, key: str) -> None:
    made: list[str] = []

    def to_pdf(html: str) -> bytes:
        made.append(html)
        return b"%PDF"

    name, kind, content = keeping.open_file(core, an_actor(core, "dave"), key, "pdf", "en", to_pdf)
    assert (name, kind, content) == ("dr-report-drill-12.pdf", "application/pdf", b"%PDF")
    assert "Report of a drill" in made[0]


def test_whoever_sees_no_plan_sees_no_report(api: Callable[..., Api], key: str) -> None:
    assert api("sam").get("/dr/reports").status_code == 403
    listed = api("dave").get("/dr/reports").get_json()
    assert [one["id"] for one in listed["items"]] == [key]
    assert api("dave").get("/dr/reports", marker=key).get_json()["items"] == []
    assert api("dave").get("/dr/reports", plan="nothing").status_code == 404
