"""What a guest of the lab makes of its config drive: name, users, keys, and a script that runs once."""

import json
import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

import lab
from provisioning.guest_access import user_data

RECIPE = Path(lab.__file__).parent / "templates" / "guest" / "root"
FILE = RECIPE / "usr/local/sbin/guest-identity"
KEY = "ssh-ed25519 AAAA request"


def identity() -> Any:
    """The program as a module; it has no suffix by which Python would know it."""
    loader = SourceFileLoader("guest_identity", str(FILE))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


class Guest:
    """The disk of a guest that boots with one config drive after another."""

    def __init__(self, place: Path) -> None:
        self.root, self.drive = place / "root", place / "drive"
        self.owners: dict[str, tuple[int, int]] = {}
        for name in ("passwd", "group", "shadow"):
            self.write(f"etc/{name}", (RECIPE / "etc" / name).read_text())
        (self.root / "etc/sudoers.d").mkdir()
        self.write("etc/ssh/ssh_host_ed25519_key", "of the image")
        self.write("home/debian/.ssh/authorized_keys", "")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def boot(self, said: str | None = None, uuid: str = "one") -> None:
        latest = self.drive / "openstack/latest"
        latest.mkdir(parents=True, exist_ok=True)
        meta = {"uuid": uuid, "hostname": "web-1.novalocal", "public_keys": {"k": f"{KEY}\n"}}
        (latest / "meta_data.json").write_text(json.dumps(meta))
        (latest / "user_data").unlink(missing_ok=True)
        if said is not None:
            (latest / "user_data").write_text(said)
        identity().main(self.drive, self.root)


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    made = Guest(tmp_path)

    def chown(path: Path, user: int, group: int) -> None:
        made.owners[str(path.relative_to(made.root))] = (user, group)

    monkeypatch.setattr(os, "chown", chown)
    return made


def test_it_has_the_name_and_the_key_of_its_request(guest: Guest) -> None:
    guest.boot()
    assert guest.read("etc/hostname") == "web-1\n"
    assert "127.0.1.1 web-1\n" in guest.read("etc/hosts")
    assert guest.read("home/debian/.ssh/authorized_keys") == f"{KEY}\n"
    assert not guest.has("etc/ssh/ssh_host_ed25519_key"), "a copy of a volume is another server"


def test_cloudctl_finds_its_user_as_it_asked_for_it(guest: Guest) -> None:
    guest.boot(user_data("ssh-ed25519 BBBB cloudctl"))
    assert guest.read("home/cloudctl/.ssh/authorized_keys") == "restrict ssh-ed25519 BBBB cloudctl\n"
    assert guest.read("etc/sudoers.d/90-cloudctl") == "cloudctl ALL=(ALL) NOPASSWD:ALL\n"
    assert "cloudctl:x:1001:1001:cloudctl:/home/cloudctl:/bin/bash\n" in guest.read("etc/passwd")
    assert "\ncloudctl:*:" in guest.read("etc/shadow"), "no password, and not locked, which sshd would heed"
    assert guest.owners["home/cloudctl/.ssh/authorized_keys"] == (1001, 1001)
    assert (guest.root / "home/cloudctl/.ssh").stat().st_mode & 0o777 == 0o700
    assert guest.read("home/debian/.ssh/authorized_keys") == f"{KEY}\n"


def test_a_restart_changes_nothing_and_another_server_of_the_same_disk_everything(guest: Guest) -> None:
    guest.boot("#!/bin/sh\necho one\n")
    guest.write("home/debian/.ssh/authorized_keys", "added by hand\n")
    (guest.root / "var/lib/guest/script").rename(guest.root / "var/lib/guest/script.ran")
    guest.boot("#!/bin/sh\necho two\n")
    assert guest.read("home/debian/.ssh/authorized_keys") == "added by hand\n"
    assert not guest.has("var/lib/guest/script")
    guest.boot("#!/bin/sh\necho two\n", uuid="two")
    assert guest.read("home/debian/.ssh/authorized_keys") == f"{KEY}\n"
    assert guest.read("var/lib/guest/script") == "#!/bin/sh\necho two\n"
    assert (guest.root / "var/lib/guest/script").stat().st_mode & 0o100


def test_commands_become_a_script(guest: Guest) -> None:
    document = {"users": ["default"], "runcmd": ["echo $HOME", ["touch", "/a b"]]}
    guest.boot("#cloud-config\n" + json.dumps(document))
    assert guest.read("var/lib/guest/script") == "#!/bin/sh\necho $HOME\ntouch '/a b'\n"


def test_a_user_is_made_once(guest: Guest) -> None:
    said = user_data("ssh-ed25519 BBBB cloudctl")
    guest.boot(said)
    guest.boot(said, uuid="two")
    assert guest.read("etc/passwd").count("cloudctl:x:") == 1


@pytest.mark.parametrize("said", ["#cloud-config\nusers: [default]\n", "MIME-Version: 1.0\n", ""])
def test_what_it_does_not_understand_is_told_and_does_not_stop_it(
    guest: Guest, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    guest.boot(said)
    assert "user data left out" in capsys.readouterr().out
    assert guest.read("home/debian/.ssh/authorized_keys") == f"{KEY}\n"


def test_what_is_left_out_of_a_cloud_config_is_named(
    guest: Guest, capsys: pytest.CaptureFixture[str]
) -> None:
    guest.boot('#cloud-config\n{"packages": ["vim"], "users": ["default"]}\n')
    assert "packages is left out" in capsys.readouterr().out
