"""The story of disaster recovery, on the lab with real guests.

One application on volumes that the storage replicates (T3) and one whose PostgreSQL replicates itself (T4)
are rehearsed; the first moves to the city and back as planned; then the province is cut off, nobody reaches
its cloudctl or its database, and the city moves it with a cloudctl of its own.
Records go through both all the time, and each report says what of them came back.

    CLOUDCTL_HOME=... python examples/drill_story.py
"""

import os
import sys
import time
from pathlib import Path

import city_words
import recovery_words as words
import telling
from backup_story import FIRST, FULL_NOTE, ask_for, build, built, city_project, inside, install, protect, take
from telling import Server, StoryError, able_to_print, chapter, key, run, say

ASSETS, PAY = (
    "gx-finance-assets",
    "gx-finance-pay",
)  # of level 2: their zone lets HTTP in, which the guests speak
TYPES = "    - {name: replicated, title: 双中心复制云硬盘}"
SYSTEMS = f"""\
  - code: {PAY}
    name: 国库集中支付系统
    department: gx-finance
    mlps_level: 2
    key_application: true"""
_T3 = """\
plans:
  - name: assets
    system: {system}
    home: province
    recovery: city-1
    rpo: 5m
    rto: 30m
    lease: 30s
    parts:
      - name: application
        servers: [{server}]
        way: replication
        patience: 15m
        checks:
          - {{kind: http, port: 80, path: /notes, contains: {note}}}
          - {{kind: tcp, port: 22}}
    sentinels:
      write_url: http://{server}/notes
      read_url: http://{server}/notes
      every_s: 5
"""
_T4 = """\
plans:
  - name: pay
    system: {system}
    home: province
    recovery: city-1
    rpo: 5m
    rto: 30m
    lease: 30s
    parts:
      - name: database
        servers: [{server}]
        way: application
        serving: read_anywhere
        patience: 15m
        writers: [/usr/local/sbin/guest-writers]
        database:
          kind: postgresql
          servers: {{province: {server}, city-1: {other}}}
          directory: /srv/data/postgresql
        checks:
          - {{kind: http, port: 80, path: /notes, contains: {note}}}
    sentinels:
      write_url: http://{server}/notes
      read_url: http://{server}/notes
      every_s: 5
"""


def replicated() -> str:
    """The application whose volumes Ceph copies, with its plan, a point that describes it, and its agent; the
    server's name."""
    server, address = build(ASSETS, "--volume-type", "replicated")
    inside(address, "/notes", FULL_NOTE)
    protect(ASSETS)
    city_project(ASSETS)
    words.apply_plan("assets", _T3.format(system=ASSETS, server=server, note=FULL_NOTE))
    run("cloudctl", "dr", "failover", "enrol", "assets", user="wang")
    words.wait_for_records(address, 3)
    take(ASSETS)
    words.let_agent_in("assets", server, address, "province")
    run("cloudctl", "dr", "witness", "status", user="wang")
    return server


def streaming() -> None:
    """The application whose PostgreSQL at the city follows the one at the province.

    Both servers come of one image, so their databases look like one that was parted.
    """
    asked = (ask_for(PAY), ask_for(PAY, "--site", "city-1", administrator="heidi"))
    (server, address), (other, there) = (built(one) for one in asked)
    words.let_through("province", address, there)
    words.let_through("city-1", there, address)
    inside(address, "/notes", FULL_NOTE)
    protect(PAY)
    words.apply_plan("pay", _T4.format(system=PAY, server=server, other=other, note=FULL_NOTE))
    run("cloudctl", "dr", "database", "setup", "pay", "--anew", "--wait", user="wang")
    run("cloudctl", "dr", "database", "lag", "pay", user="wang")
    words.wait_for_records(address, 3)
    take(PAY)


def there_and_back(server: str) -> None:
    """A planned move to the city, the province made ready, a drill there, a planned move back, and the city
    made ready again."""
    words.tell("failover", words.move("assets", reason="省级机房检修"))
    words.make_ready("assets", "province", server, "检修完成")
    words.rehearse("assets")
    words.tell("failover", words.move("assets", reason="检修完成，回切", second="carol"))
    words.make_ready("assets", "city-1", words.now_called(ASSETS, "city-1"), "恢复双向保护")


def cut_off(plan: str, servers: list[Server]) -> None:
    """The province is cut off, and nobody reaches its cloudctl or its database. Two places see it; the city
    moves the system with a cloudctl of its own. Then the province is back and is told."""
    home = servers[-1]
    city_words.remember_elsewhere(telling.HOME)
    home.stop()
    home.start()
    city = city_words.stand_by()
    servers.append(city_words.server(city))
    eyes = words.Observers(plan, "province", "http://10.101.1.2:5000/v3")
    try:
        run("cloudctl", "dr", "export", "status", user="judy")
        home.stop()
        run("cloudctl", "lab", "site", "cut", "province")
        say("$ # 省级 cloudctl 与数据库已不可用；两处观察点确认省级节点失联", "33")
        with city_words.at(city):
            words.wait_until_gone(plan, "province")
            city_words.take_over()
            words.tell("failover", words.move(plan, "--unplanned", "--accept-stale", reason="省级节点失联"))
    finally:
        run("cloudctl", "lab", "site", "join", "province")
        eyes.stop()
    home.start()
    city_words.merge()
    with city_words.at(city):
        city_words.stand_down()


def tell(servers: list[Server]) -> None:
    """All chapters; StoryError where one does not end as it should."""
    chapter(1, "Two sites, a third place that votes, storage that replicates", "两地三中心环境")
    run("cloudctl", "lab", "up", "--guests", "--with", "witness", "--with", "replication")
    servers.append(Server("127.0.0.1:8090"))
    install(servers[-1], (*FIRST, "heidi", "judy"))
    able_to_print()
    os.environ["STORY_KEY"] = key("alice").removesuffix(".pub")
    words.widen_topology(TYPES, SYSTEMS)
    chapter(2, "An application on replicated volumes, and the plan for the loss of its site", "灾备预案")
    server = replicated()
    chapter(3, "The drill of it, from the replicas", "灾备演练（T3）")
    words.rehearse("assets")
    chapter(4, "Moved as planned, and back", "计划内切换与回切")
    there_and_back(server)
    chapter(5, "An application whose database replicates itself, and its drill", "双活应用（T4）")
    streaming()
    words.rehearse("pay")
    chapter(6, "The province is cut off, and its cloudctl with it", "省级节点失联，地市独立切换")
    cut_off("assets", servers)


def main() -> int:
    """Tell the story; 0 when every drill and move passed and nothing of the drills is left."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(telling.HOME / "lab" / "clouds.yaml")
    os.chdir(Path(__file__).resolve().parents[1])
    began = time.monotonic()
    servers: list[Server] = []
    try:
        tell(servers)
        say(f"The story took {time.monotonic() - began:.0f} s.", "1;32")
    except StoryError as error:
        say(f"The story broke off: {error}", "1;31")
        return 1
    finally:
        for server in servers:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
