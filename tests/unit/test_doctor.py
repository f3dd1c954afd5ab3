"""`cloudctl doctor`: every fault is named with what to do about it, and nothing is changed."""

from pathlib import Path

import pytest
import yaml

from cloudctl import doctor
from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.config import FILE_NAME
from cloudctl.core import Core
from cloudctl.doctor import FAIL, OK, WARN, Finding
from cloudctl.initialise import Wish, initialise
from cloudctl.models import AuditEvent, Site, Vault
from cloudctl.ports import LockMode
from cloudctl.store import Store
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_objects import FakeStores
from tenants.bulletin import pdf
from tests.command_line import run


@pytest.fixture
def installed(home: Path) -> Path:
    initialise(home, Wish())
    return home


def found(home: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.examine(home)}


def store_of(home: Path) -> Store:
    return Store(f"sqlite:///{home / 'cloudctl.db'}")


def test_a_sound_installation_has_no_failure(installed: Path) -> None:
    findings = found(installed)
    assert not [finding for finding in findings.values() if finding.state == FAIL]
    assert findings["database"].state == OK
    assert findings["audit chain"].state == OK
    assert findings["server"].state == WARN, "it does not run here"


def test_every_trouble_says_what_to_do(installed: Path) -> None:
    for finding in found(installed).values():
        assert (finding.state == OK) == (finding.advice == ""), finding


def test_without_an_installation_it_says_what_to_run(home: Path) -> None:
    findings = found(home)
    assert findings["home"].advice == "run: cloudctl init"
    assert findings["configuration"].state == FAIL


def test_a_home_or_key_that_others_can_read_is_named(installed: Path) -> None:
    installed.chmod(0o755)
    (installed / "keys" / "box.key").chmod(0o644)
    findings = found(installed)
    assert findings["home"].state == WARN
    assert findings["box key"].state == FAIL
    assert "chmod 600" in findings["box key"].advice


def test_a_missing_key_ends_the_examination_without_a_crash(installed: Path) -> None:
    (installed / "keys" / "audit.key").unlink()
    assert found(installed)["audit key"].state == FAIL


def test_faults_of_the_settings_are_all_told(installed: Path) -> None:
    (installed / FILE_NAME).write_text("listen_prot: 1\n")
    detail = found(installed)["configuration"].detail
    assert "listen_prot" in detail
    assert "installation" in detail


def test_an_older_schema_is_named(installed: Path) -> None:
    store = store_of(installed)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    store.close()
    finding = found(installed)["database"]
    assert (finding.state, finding.advice) == (FAIL, "run: cloudctl init")


def test_a_database_that_does_not_answer_is_one_line(installed: Path) -> None:
    settings = yaml.safe_load((installed / FILE_NAME).read_text())
    settings["database"] = "postgresql://nobody@127.0.0.1:9/none"
    (installed / FILE_NAME).write_text(yaml.safe_dump(settings))
    finding = found(installed)["database"]
    assert finding.state == FAIL
    assert "\n" not in finding.detail


def test_a_broker_that_does_not_answer_is_a_warning(installed: Path) -> None:
    with (installed / FILE_NAME).open("a") as file:
        file.write("broker: amqp://guest:hidden@127.0.0.1:9//\n")
    finding = found(installed)["broker"]
    assert finding.state == WARN
    assert "hidden" not in finding.detail


def test_a_changed_event_in_the_audit_chain_is_a_failure(installed: Path) -> None:
    store = store_of(installed)
    with store.write() as uow:
        uow.update(AuditEvent, AuditEvent.seq == 1, actor="mallory")
    store.close()
    assert found(installed)["audit chain"].state == FAIL


def test_a_site_without_an_entry_or_an_answer_is_named(installed: Path) -> None:
    store = store_of(installed)
    with store.write() as uow:
        for name in ("province", "city-1"):
            uow.add(Site(id=name, title=name, role="city", cloud=name, division_code="450000"))
    store.close()
    entry = {
        "auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p", "project_name": "p",
                 "user_domain_id": "default", "project_domain_id": "default"},
        "region_name": "RegionOne",
    }  # fmt: skip
    (installed / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"province": entry}}))
    findings = found(installed)
    assert findings["site city-1"].state == FAIL
    assert findings["site province"].state == FAIL
    assert "openstack --os-cloud province" in findings["site province"].advice


def test_a_site_that_answers_is_told_with_its_clock(clock: FrozenClock) -> None:
    site = Site(id="province", cloud="province")
    findings = list(doctor.examine_site(site, FakeClouds({"province": FakeCloud("province", clock)})))
    assert {finding.state for finding in findings} == {OK}
    assert findings[0].name == "site province"


STORES = """stores:
  city-1:
    endpoint: http://127.0.0.1:9
    vault:
      bucket: vault
      write: {access_key: w, secret_key: hidden}
      read: {access_key: r, secret_key: hidden}
      expire: {access_key: e, secret_key: hidden}
"""


def test_stores_that_are_missing_faulty_or_silent_are_named(installed: Path) -> None:
    assert found(installed)["stores.yaml"].state == WARN
    file = installed / "stores.yaml"
    file.write_text(STORES)
    file.chmod(0o644)
    faulty = found(installed)["stores.yaml"]
    assert (faulty.state, "chmod 600" in faulty.detail) == (FAIL, True)
    file.chmod(0o600)
    findings = found(installed)
    assert findings["stores.yaml"].detail == "vaults: city-1"
    assert findings["vault city-1"].state == FAIL
    assert "hidden" not in findings["vault city-1"].detail


def test_a_vault_is_worth_what_is_on_record_or_it_is_said() -> None:
    stores = FakeStores(lock=LockMode.GOVERNANCE)
    row = Vault(site_id="city-1", bucket="vault", lock_mode="governance", state="ready")
    assert doctor.examine_vault("city-1", None, stores).state == WARN
    assert doctor.examine_vault("city-1", row, stores).state == OK
    row.state = "full"
    assert doctor.examine_vault("city-1", row, stores).state == WARN
    row.lock_mode = "compliance"
    finding = doctor.examine_vault("city-1", row, stores)
    assert (finding.state, finding.advice) == (FAIL, "run: cloudctl vault check city-1")


def test_ssh_is_asked_for_where_a_site_lets_cloudctl_in(
    core: Core, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with core.store.write() as uow:
        site = uow.add(Site(id="province", title="p", role="province", cloud="p", division_code="450000"))
    assert doctor.ssh(core).state == OK
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.ssh(core).state == OK
    with core.store.write() as uow:
        uow.need(Site, site.id).guests = "managed"
    finding = doctor.ssh(core)
    assert (finding.state, "province" in finding.detail) == (FAIL, True)


@pytest.mark.parametrize(("seconds", "state"), [(0, OK), (-4, OK), (6, WARN), (-61, FAIL), (3600, FAIL)])
def test_clocks_that_differ_are_told_by_how_much(seconds: float, state: str) -> None:
    finding = doctor.skew("clock of city-1", seconds)
    assert finding.state == state
    assert str(abs(seconds)) in finding.detail


@pytest.mark.parametrize(("mib", "state"), [(100, FAIL), (4000, WARN), (50_000, OK)])
def test_room_on_disk_is_told_before_it_ends(installed: Path, mib: int, state: str) -> None:
    assert doctor.disk_room(installed, mib * 2**20).state == state


def test_what_a_pdf_needs_is_told_with_its_packages(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [(one.name, one.state) for one in doctor.printing()] == [("Pango", OK), ("Chinese font", OK)]
    nothing = tmp_path / "fonts.conf"
    nothing.write_text("<fontconfig></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(nothing))
    monkeypatch.setattr(pdf, "LIBRARIES", ("libno-such.so.9",))
    pango, font = doctor.printing()
    assert (pango.state, font.state) == (WARN, WARN)
    assert "libno-such.so.9" in pango.detail
    assert "libpango-1.0-0" in pango.advice
    assert "fonts-noto-cjk" in font.advice
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "fontconfig" in list(doctor.printing())[1].advice


def test_an_old_python_is_named() -> None:
    assert doctor.python_version((3, 10, 1)).state == FAIL


def test_the_command_ends_with_one_when_something_fails(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCTL_HOME", str(installed))
    good = run(monkeypatch, "doctor", "-f", "json")
    assert good.code == exits.DONE
    assert all({"id", "name", "state", "detail", "advice"} <= row.keys() for row in good.json)
    (installed / "keys" / "box.key").chmod(0o644)
    assert run(monkeypatch, "doctor", "-f", "json").code == exits.FAILED
