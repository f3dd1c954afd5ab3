"""The portal in a real browser: the main job from a newcomer's first sign-in to the approved request."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from cloudctl.clock import SystemClock
from cloudctl.core import Core
from cloudctl.models import User
from cloudctl.secrets import hash_password
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tenants import ledger, people
from tests.builders import AN_SSH_KEY, a_province, an_actor
from tests.conftest import make_core
from web.app import create_app

pytestmark = pytest.mark.browser
PASSWORD = "Known-to-tests-1"
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    made = make_core(tmp_path_factory.mktemp("portal"), clock=SystemClock())  # type: ignore[arg-type]
    a_province(made)
    with made.store.write() as uow:
        uow.update(User, User.id != "", password_hash=hash_password(PASSWORD))
    ledger.set_limit(made, an_actor(made, "dave"), "department:gx-finance", "*", "instances", 4)
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
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    """A browser as an office has it; a page that loads anything from elsewhere or breaks its policy fails."""
    made = browser.new_context(
        base_url=address, viewport={"width": 1366, "height": 768}, java_script_enabled=True
    )
    made.set_default_timeout(20_000)
    elsewhere: list[str] = []
    made.on("request", lambda sent: None if sent.url.startswith(address) else elsewhere.append(sent.url))
    made.on("console", lambda said: elsewhere.append(said.text) if "Content Security" in said.text else None)
    yield made
    made.close()
    assert elsewhere == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.goto("/")
    page.get_by_label("用户名").fill(user)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def no_wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_newcomer_chooses_a_password_first(page: Page, core: Core) -> None:
    first = people.set_password(core, an_actor(core, "sam"), "erin")
    sign_in(page, "erin", first)
    expect(page.get_by_role("heading", name="修改密码")).to_be_visible()
    page.get_by_label("原密码").fill(first)
    page.get_by_label("新密码", exact=True).fill("My-own-words-77")
    page.get_by_label("再次输入新密码").fill("My-own-words-77")
    page.get_by_role("button", name="修改密码").click()
    expect(page.get_by_text("密码已修改")).to_be_visible()


def test_from_over_quota_to_the_last_approval(page: Page, browser: Browser, address: str) -> None:
    sign_in(page, "alice")
    page.get_by_role("link", name="新建申请").click()
    page.get_by_label("信息系统").select_option("gx-finance-budget")
    page.get_by_label("数量（台）").fill("6")
    page.get_by_label("规格").select_option("gov.medium")
    page.get_by_label("总容量").fill("600GiB")
    page.get_by_label("SSH 公钥").fill(AN_SSH_KEY)
    page.get_by_label("立项批文号").fill("桂发改〔2026〕17号")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("alert")).to_contain_text("配额不足")
    page.locator("#decision").get_by_role("button", name="按可用配额调整").click()
    expect(page.get_by_label("数量（台）")).to_have_value("4")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("4 台 gov.medium 云主机")
    where = page.url
    for who in ("bob", "carol"):
        other = browser.new_context(base_url=address).new_page()
        sign_in(other, who)
        other.goto(where)
        other.get_by_label("审批意见").fill("同意")
        other.get_by_role("button", name="同意", exact=True).click()
        expect(other.get_by_role("status")).to_contain_text("您已同意")
        other.context.close()
    page.reload()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".course")).to_contain_text("云管审批：同意")


def test_the_keyboard_alone_is_enough_to_sign_in(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_label("用户名")).to_be_focused()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="李爱丽，您好")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("alice", ("/", "/requests", "/requests/new/vm", "/requests/new/release", "/resources/", "/quota/")),
        ("carol", ("/", "/inbox", "/quota/", "/account/", "/notices")),
        ("ivan", ("/", "/audit", "/no-such-page")),
    ],
)
def test_pages_fit_an_office_screen_and_every_field_has_a_label(
    page: Page, who: str, paths: tuple[str, ...]
) -> None:
    sign_in(page, who)
    for path in paths:
        page.goto(path)
        assert no_wider_than_the_screen(page), path
        assert page.locator("h1").count() == 1, path
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
            .filter((field) => !field.labels.length && !field.ariaLabel).map((field) => field.name)"""
        )
        assert nameless == [], path


def test_the_menu_of_somebody_who_sees_everything_is_one_row_in_both_languages(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 768})
    sign_in(page, "dave")
    for _ in range(2):
        menu = page.locator(".top nav a")
        assert menu.count() >= 12
        tops = {round(one.bounding_box()["y"]) for one in menu.all()}  # type: ignore[index]
        assert len(tops) == 1
        assert page.evaluate(
            "(nav => nav.scrollWidth <= nav.clientWidth)(document.querySelector('.top nav'))"
        )
        page.locator("button[name=language]").click()
        page.wait_for_load_state()


def test_everything_works_without_a_script(browser: Browser, address: str) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "bob")
    expect(page.get_by_role("link", name="待办审批").first).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    context.close()
