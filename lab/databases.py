"""MariaDB's data directory, and the databases of all services: migrated once, then loaded from a template.

The template is a dump of each database right after its migrations. It holds no host, address or password:
Nova's cell mappings, the only rows that would, are patterns that Nova fills from its own configuration.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.commands import run
from lab.environment import lock_digest
from lab.layout import Layout, SiteLayout
from lab.rendering import DATABASES
from lab.services import environment
from lab.sites import Site

_DATABASE_PATTERN = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"
_QUEUE_PATTERN = "{scheme}://{username}:{password}@{hostname}:{port}/"


@dataclass(frozen=True)
class Group:
    """Databases that one chain of commands migrates; chains of different groups run side by side."""

    name: str
    databases: tuple[str, ...]
    commands: Callable[[SiteLayout], Sequence[tuple[str, ...]]]


def _keystone(site: SiteLayout) -> Sequence[tuple[str, ...]]:
    return [("keystone-manage", "--config-file", f"{site.etc}/keystone.conf", "db_sync")]


def _neutron(site: SiteLayout) -> Sequence[tuple[str, ...]]:
    return [("neutron-db-manage", "--config-file", f"{site.etc}/neutron.conf", "upgrade", "heads")]


def _small(site: SiteLayout) -> Sequence[tuple[str, ...]]:
    return [
        ("glance-manage", "--config-file", f"{site.etc}/glance-api.conf", "db_sync"),
        ("placement-manage", "--config-file", f"{site.etc}/placement.conf", "db", "sync"),
        ("cinder-manage", "--config-file", f"{site.etc}/cinder.conf", "db", "sync"),
    ]


def _nova(site: SiteLayout) -> Sequence[tuple[str, ...]]:
    manage = ("nova-manage", "--config-file", f"{site.etc}/nova.conf")
    cell0, cell1 = _DATABASE_PATTERN % "nova_cell0", _DATABASE_PATTERN % "nova"
    return [
        (*manage, "api_db", "sync"),
        (*manage, "cell_v2", "map_cell0", "--database_connection", cell0),
        (*manage, "cell_v2", "create_cell", "--name", "cell1", "--database_connection", cell1,
         "--transport-url", _QUEUE_PATTERN),
        (*manage, "db", "sync"),
    ]  # fmt: skip


GROUPS = (
    Group("keystone", ("keystone",), _keystone),
    Group("nova", ("nova_api", "nova", "nova_cell0"), _nova),
    Group("neutron", ("neutron",), _neutron),
    Group("small", ("glance", "placement", "cinder"), _small),
)


def create_data_directory(site: SiteLayout) -> None:
    """Makes the data directory of MariaDB; half of one, left by a kill, is made anew."""
    stamp = site.stamp("mariadb")
    if stamp.exists():
        return
    data = site.data / "mariadb"
    run(["rm", "-rf", str(data)], log=site.setup_log)
    # Two of these side by side need a temporary directory each.
    run(
        ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", f"--tmpdir={site.tmp}",
         "--auth-root-authentication-method=socket", "--auth-root-socket-user=root", "--skip-test-db"],
        log=site.setup_log,
    )  # fmt: skip
    stamp.touch()


def create_users(site: SiteLayout, password: str) -> None:
    """One account of all services, for the loopback only; its password is set to what the lab knows."""
    statements = [
        "CREATE USER IF NOT EXISTS 'openstack'@'127.0.0.1'",
        f"ALTER USER 'openstack'@'127.0.0.1' IDENTIFIED BY '{password}'",
        *(f"GRANT ALL ON {name}.* TO 'openstack'@'127.0.0.1'" for name in DATABASES),
    ]
    _sql(site, ";\n".join(statements) + ";\n")


def template_path(layout: Layout, group: Group) -> Path:
    """The dump of a group, which is as old as the lock file."""
    return layout.cache / f"schema-{lock_digest()}" / f"{group.name}.sql"


def build_template(layout: Layout, plan: Site, group: Group) -> None:
    """Migrates the group's databases at this site and keeps the dump for the other sites and for later."""
    path = template_path(layout, group)
    if path.exists():
        return
    site = layout.site(plan)
    _empty(site, group)
    for command in group.commands(site):
        run(
            [str(layout.venv / "bin" / command[0]), *command[1:]],
            log=site.setup_log, env=environment(layout, site), namespace=plan.namespace, timeout_s=600,
        )  # fmt: skip
    dump = run(
        ["mariadb-dump", "--no-defaults", f"--socket={site.socket('mariadb')}", "--skip-dump-date",
         "--add-drop-database", "--databases", *group.databases],
        log=site.setup_log,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(dump)
    fresh.replace(path)
    site.stamp(f"database-{group.name}").touch()


def load(layout: Layout, plan: Site, group: Group) -> None:
    """Gives the site the group's databases from the template, once."""
    site = layout.site(plan)
    stamp = site.stamp(f"database-{group.name}")
    if stamp.exists():
        return
    _sql(site, template_path(layout, group).read_text())
    stamp.touch()


def _empty(site: SiteLayout, group: Group) -> None:
    for name in group.databases:
        _sql(site, f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb3;")


def _sql(site: SiteLayout, statements: str) -> None:
    run(
        ["mariadb", "--no-defaults", f"--socket={site.socket('mariadb')}"],
        log=site.setup_log, stdin=statements,
    )  # fmt: skip
