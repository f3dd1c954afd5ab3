"""Fills the templates: every configuration file of a site from its plan and its secrets."""

import uuid
from pathlib import Path
from string import Template

from lab import extras, mirroring
from lab.compute import Compute
from lab.credentials import SERVICE_USERS, VAULT_ACCOUNTS, SiteCredentials, write_private
from lab.layout import Layout
from lab.services import wsgi_applications
from lab.sites import PORTS, Site

_TEMPLATES = Path(__file__).parent / "templates"
_CONFIGURATIONS = (
    "mariadb.cnf", "rabbitmq.conf", "ceph.conf", "keystone.conf", "placement.conf", "glance-api.conf",
    "nova.conf", "neutron.conf", "cinder.conf",
)  # fmt: skip
DATABASES = ("keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "neutron", "cinder")

#: Of the manager's modules only what the cluster cannot work without is worth its memory here.
_MGR_DISABLED = (
    "alerts cephadm dashboard diskprediction_local influx insights iostat k8sevents localpool mds_autoscaler "
    "mirroring nfs osd_perf_query osd_support prometheus restful rook selftest snap_schedule stats telegraf "
    "test_orchestrator zabbix"
)
_LIBVIRT_CONFIGURATIONS = ("libvirtd.conf", "qemu.conf")
_OSD_BYTES = 24 << 30
_MIDDLEWARE = """memcached_servers = 127.0.0.1:11211
www_authenticate_uri = {auth_url}
service_token_roles = service,admin
service_token_roles_required = true
token_cache_time = 300"""
_OSLO_MESSAGING = """[oslo_messaging_notifications]
driver = noop

[oslo_messaging_rabbit]
heartbeat_in_pthread = false
rabbit_retry_interval = 1
rabbit_interval_max = 3"""
_DB_POOL = "max_pool_size = 5\nmax_overflow = 20\nconnection_recycle_time = 600"


def fill(template: str, values: dict[str, str]) -> str:
    """The template with its values; a missing value is an error, never an empty line."""
    return Template((_TEMPLATES / template).read_text()).substitute(values)


def database_url(name: str, password: str) -> str:
    """Where the services of a site find a database of theirs."""
    return f"mysql+pymysql://openstack:{password}@127.0.0.1:{PORTS['mariadb']}/{name}?charset=utf8"


def site_values(layout: Layout, plan: Site, secret: SiteCredentials,
                compute: Compute) -> dict[str, str]:  # fmt: skip
    """Everything the templates of one site may ask for."""
    site = layout.site(plan)
    passwords = secret.passwords
    databases = {f"db_{name}": database_url(name, passwords["database"]) for name in DATABASES}
    logins = {f"as_{user}": _login(plan, user, passwords[user]) for user in SERVICE_USERS}
    values = {
        **{name: str(getattr(site, name)) for name in ("etc", "log", "run", "tmp", "data")},
        **databases,
        **logins,
        "venv": str(layout.venv),
        "site_name": plan.name,
        "region": plan.region,
        "address": plan.address,
        "auth_url": plan.auth_url,
        "admin_password": passwords["admin"],
        "rabbit_password": passwords["rabbit"],
        "rabbit_cookie": passwords["cookie"],
        "rgw_password": passwords["rgw"],
        "backup_url": plan.url("radosgw"),
        "backup_access": secret.backup_access,
        "backup_secret": secret.backup_secret,
        **{
            f"vault_{account}_{part}": value
            for account in VAULT_ACCOUNTS
            for part, value in zip(("access", "secret"), secret.vault_key(account), strict=True)
        },
        "db_pool": _DB_POOL,
        "token_cache": _MIDDLEWARE.format(auth_url=plan.auth_url),
        "messaging": f"transport_url = rabbit://openstack:{passwords['rabbit']}@127.0.0.1:{PORTS['rabbitmq']}/",
        "rpc_timeout_s": "60",
        "oslo_messaging": _OSLO_MESSAGING,
        "nova_databases": f"[api_database]\nconnection = {databases['db_nova_api']}\n{_DB_POOL}\n\n"
        f"[database]\nconnection = {databases['db_nova']}\n{_DB_POOL}",
        "host_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plan.auth_url}#host")),
        # The name of a cluster must stay the same, and everything else about it follows from the site.
        "ceph_fsid": str(uuid.uuid5(uuid.NAMESPACE_URL, plan.auth_url + passwords["admin"])),
        "ceph_mgr_disabled": _MGR_DISABLED,
        "ceph_osd_bytes": str(_OSD_BYTES),
        **_replicated(layout, plan),
    }
    return values | {
        f"compute_{part}": fill(compute.template(part), values).rstrip() for part in ("defaults", "sections")
    }


def _replicated(layout: Layout, plan: Site) -> dict[str, str]:
    """What cinder.conf says of the pool that is copied to another site, where the lab has one."""
    if "replication" not in extras.chosen(layout) or not mirroring.is_partner(plan):
        return {"cinder_backends": "rbd", "cinder_replicated": ""}
    return {
        "cinder_backends": "rbd,replicated",
        "cinder_replicated": mirroring.cinder_backend(layout, plan),
    }


def render_site(layout: Layout, plan: Site, values: dict[str, str]) -> None:
    """Writes every configuration file of the site; a file that says so already keeps its time."""
    site = layout.site(plan)
    site.make()
    # What runs the guests is the business of nova-compute only: a change of it restarts nothing else.
    others = values | {"compute_defaults": "", "compute_sections": ""}
    for name in _CONFIGURATIONS:
        write_private(site.etc / name, fill(name, others))
    for name in _LIBVIRT_CONFIGURATIONS:
        write_private(site.etc / "libvirt" / name, fill(name, values))
    write_private(site.etc / "rabbitmq-plugins", "[].\n")
    # Given before the first start, so that a start that failed half way does not make the next one refuse.
    write_private(site.data / "nova" / "compute_id", str(uuid.uuid5(uuid.NAMESPACE_URL, values["auth_url"])))
    write_private(site.data / "rabbitmq" / ".erlang.cookie", values["rabbit_cookie"])
    # nova-compute has no database: it reports through the conductor. When that is killed its report waits for
    # an answer that never comes, and must give up before the compute service counts as down.
    compute = values | {"nova_databases": "", "rpc_timeout_s": "30"}
    write_private(site.etc / "nova-compute.conf", fill("nova.conf", compute))
    for name, app in wsgi_applications(layout, site).items():
        specific = {
            "port": str(PORTS[name]),
            "module": app.module,
            "threads": str(app.threads),
            "argv": app.argv,
        }
        write_private(site.etc / f"uwsgi-{name}.ini", fill("uwsgi.ini", values | specific))


def render_clouds(values: list[dict[str, str]]) -> str:
    """The clouds.yaml with an entry for each site."""
    return "clouds:\n" + "".join(fill("clouds.yaml", site) for site in values)


def render_stores(values: list[dict[str, str]]) -> str:
    """The stores.yaml with the object store of each site and the keys for it."""
    return "stores:\n" + "".join(fill("stores.yaml", site) for site in values)


def render_sudo(layout: Layout) -> None:
    """OpenStack calls sudo; a machine of the lab may have none, and nothing here needs one."""
    path = layout.bin / "sudo"
    write_private(path, (_TEMPLATES / "sudo").read_text())
    path.chmod(0o755)


def _login(plan: Site, user: str, password: str) -> str:
    return (
        f"auth_type = password\nauth_url = {plan.auth_url}\nusername = {user}\npassword = {password}\n"
        "project_name = service\nproject_domain_name = Default\nuser_domain_name = Default\n"
        f"region_name = {plan.region}"
    )
