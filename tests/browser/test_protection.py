"""The protection in a browser: what would be lost is seen, a point taken and proved, a tier asked for."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from cloudctl.clock import SystemClock
from cloudctl.core import Core
from cloudctl.models import User
from cloudctl.secrets import hash_password
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.browser.test_portal import CHROMIUM, PASSWORD, no_wider_than_the_screen, sign_in
from tests.builders import a_province
from tests.conftest import make_core
from tests.protecting import ASSETS, BUDGET, a_point, a_policy, a_proof, a_vault, a_volume
from web.app import create_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    made = make_core(tmp_path_factory.mktemp("protection"), clock=SystemClock())  # type: ignore[arg-type]
    a_province(made)
    with made.store.write() as uow:
        uow.update(User, User.id != "", password_hash=hash_password(PASSWORD))
    a_vault(made)
    a_volume(made)
    a_volume(made, ASSETS)
    a_policy(made)
    now = made.clock.now()
    a_proof(made, a_point(made, now - timedelta(hours=37)), now - timedelta(hours=30))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def address(core: Core) -> Iterator[str]:
    clouds = FakeClouds({site: FakeCloud(site, core.clock) for site in ("province", "city-1")})
    server = make_server("127.0.0.1", 0, create_app(core, clouds), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def test_whoever_answers_for_a_system_sees_the_risk_takes_a_point_and_has_it_proved(page: Page) -> None:
    sign_in(page, "bob")
    page.get_by_role("link", name="备份保护").click()
    expect(page.get_by_role("heading", name="各灾备等级覆盖情况")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="预算管理一体化系统")
    expect(row).to_contain_text("有超期风险")
    assert no_wider_than_the_screen(page)
    row.get_by_role("link", name="预算管理一体化系统").click()
    page.get_by_role("button", name="立即备份").click()
    expect(page.get_by_text("正在生成恢复点。")).to_be_visible()
    page.get_by_role("link", name="#1", exact=True).click()
    page.get_by_label("验证至").select_option("L2")
    page.get_by_role("button", name="立即验证").click()
    expect(page.get_by_text("正在验证恢复点。")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="验证中")).to_contain_text("L2")
    assert no_wider_than_the_screen(page)


def test_a_department_asks_for_a_backup_of_its_system(page: Page) -> None:
    sign_in(page, "alice")
    page.goto(f"/requests/new/backup?system={ASSETS}")
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_role("heading", name="需要审批")).to_be_visible()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="申请备份（T2 级）")).to_be_visible()
    page.goto(f"/requests/new/backup?system={BUDGET}")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_text("已由备份策略“省本级关键数据”（T2）备份").first).to_be_visible()
