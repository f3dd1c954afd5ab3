"""The story of cloudctl, told with the commands a person would type: from nothing to delivered machines.

`make run` and `make demo` run it. Everything below goes through the `cloudctl` and `openstack` commands.
A second run finds what the first made and changes nothing: each request carries its own idempotency key.
"""

import argparse
import json
import os
import sys
import time

import migration_story
from telling import (
    HOME,
    PEOPLE,
    ROOT,
    Server,
    StoryError,
    approve,
    chapter,
    hire,
    is_new,
    key,
    run,
    say,
    show_servers,
    sign_in,
    submit,
)

# -- the chapters


def lab_up() -> None:
    chapter(1, "Two real OpenStack clouds on this machine", "本机上的两朵 OpenStack 云")
    run("cloudctl", "lab", "up")
    run("cloudctl", "lab", "status", "-c", "site", "-c", "service", "-c", "state", "-c", "memory_mib")


def installed(server: Server) -> None:
    """Set the installation up and start its server."""
    chapter(2, "An installation, its server and its people", "安装、服务与用户")
    administrators = ("--admin", "admin1=系统管理员甲", "--admin", "admin2=系统管理员乙")
    shown = run("cloudctl", "init", *administrators, "-f", "json", show=False)
    run("cloudctl", "init", *administrators)
    link = HOME / "clouds.yaml"
    if not link.exists():
        link.symlink_to(HOME / "lab" / "clouds.yaml")
    server.start()
    for administrator in json.loads(shown)["administrators"]:
        sign_in(administrator["id"], administrator["password"])


def people() -> None:
    hire("wang")
    chapter(3, "The 1+N as one file", "一份文件描述“1+N”")
    plan = ("cloudctl", "topology", "plan", "examples/guangxi-lab.yaml")
    run(*plan, "--summary", user="wang", expect=2 if is_new("alice") else 0)
    apply = ("cloudctl", "topology", "apply", "examples/guangxi-lab.yaml")
    run(*apply, "--yes", "--summary", user="wang")
    run(*plan, user="wang")
    for site in ("province", "city-1"):
        run(
            "cloudctl",
            "site",
            "check",
            site,
            "--zero-default-quotas",
            "-c",
            "name",
            "-c",
            "state",
            user="wang",
        )
    run("cloudctl", "site", "list", user="wang")
    for user in PEOPLE:
        hire(user)
    run("cloudctl", "user", "list", user="admin1")


def finance() -> int:
    """The finance department's three machines; the number of the request."""
    chapter(5, "财政厅 asks for 3 VMs and 1 TiB", "财政厅申请 3 台云主机和 1 TiB 存储")
    form = (
        "--system", "gx-finance-budget", "--zone", "dedicated", "--flavor", "gov.medium",
        "--image", "debian-12", "--boot-size", "40GiB", "--ssh-key", key("alice"),
        "--approval-number", "桂发改投资〔2026〕88号", "--payer", "财政厅", "--reason", "预算一体化系统上云",
    )  # fmt: skip
    three = ("--count", "3", "--data-total", "1TiB", "--data-volumes-per-vm", "2")
    ask_vm = ("cloudctl", "request", "create", "vm", *form)
    run(*ask_vm, *three, "--dry-run", user="alice")
    say("More than the department may have is refused, with where, how much, and what would fit:")
    run(*ask_vm, "--count", "40", "--data-volume", "100GiB", user="alice", expect=3)
    number = submit(*ask_vm, *three, "--idempotency-key", "story-finance", user="alice")
    approve(number, ("bob", "同意"), ("carol", "资源充足,同意"))
    run("cloudctl", "request", "watch", str(number), user="alice")
    run("cloudctl", "request", "show", str(number), "-f", "json", user="alice")
    show_servers("province")
    return number


def record() -> None:
    chapter(6, "What is held, and what is on record", "配额、资源与审计")
    run("cloudctl", "quota", "show", "--scope", "department:gx-finance", user="alice")
    run(
        "cloudctl",
        "quota",
        "show",
        "--scope",
        "department:gx-finance",
        "-f",
        "json",
        user="alice",
        show=False,
    )
    run("cloudctl", "resource", "list", user="alice")
    run("cloudctl", "audit", "verify", user="ivan")


def county() -> int:
    chapter(7, "A county bureau's request lands on the city's cloud", "县级单位的申请落在市级云")
    number = submit(
        "cloudctl", "request", "create", "vm", "--system", "nn-qingxiu-edu-enroll", "--zone", "public",
        "--flavor", "gov.small", "--image", "debian-12", "--boot-size", "20GiB", "--ssh-key", key("erin"),
        "--approval-number", "青发改〔2026〕12号", "--payer", "青秀区财政局", "--reason", "招生系统试运行",
        "--idempotency-key", "story-county", user="erin",
    )  # fmt: skip
    approve(number, ("frank", "初审通过"), ("grace", "同意"), ("heidi", "同意"))
    run("cloudctl", "request", "watch", str(number), user="erin")
    show_servers("city-1")
    return number


def main() -> int:
    """Tell the story; with `--serve` keep the portal until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep the portal running at the end")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="where the portal is")
    arguments = parser.parse_args()
    (HOME / "story").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(HOME / "lab" / "clouds.yaml")
    os.chdir(ROOT)
    began = time.monotonic()
    server = Server(arguments.listen)
    try:
        lab_up()
        installed(server)
        people()
        migration_story.register()
        finance()
        record()
        county()
        migration_story.evidence()
        migration_story.bulletin()
        print()
        say(f"The story took {time.monotonic() - began:.0f} s, the lab included.", "1;32")
        if arguments.serve:
            password = (HOME / "story" / "alice.password").read_text().strip()
            say(f"The portal: http://{arguments.listen}/   user: alice   password: {password}")
            say("Ctrl-C ends the server; the lab stays up until `cloudctl lab down`.")
            server.wait()
    except StoryError as error:
        say(f"The story broke off: {error}", "1;31")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
