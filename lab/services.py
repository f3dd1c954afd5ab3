"""Every daemon of a site as data: what to run, with which environment, where it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.commands import SYSTEM_PATH
from lab.compute import chosen
from lab.environment import lock_digest
from lab.layout import Layout, SiteLayout
from lab.sites import PORTS, Site

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Service:
    """One daemon of a layer of the cloud; a change of one of its `files` calls for a restart."""

    name: str
    layer: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: tuple[Path, ...] = ()
    loopback: bool = False
    socket: Path | None = None
    stop_s: float = field(default=15, compare=False)

    @property
    def port(self) -> int | None:
        return PORTS.get(self.name)


@dataclass(frozen=True)
class _Api:
    """A WSGI application under uWSGI."""

    module: str
    threads: int
    env: Mapping[str, str] = field(default_factory=dict)
    argv: str = ""


def wsgi_applications(layout: Layout, site: SiteLayout) -> dict[str, _Api]:
    """The HTTP APIs of a site; each is one process, for two cores serve 2 or 3 sites."""
    etc = str(site.etc)
    nova_files = f"{layout.venv}/etc/nova/api-paste.ini;nova.conf"
    return {
        "keystone": _Api("keystone.wsgi.api", 6, {"OS_KEYSTONE_CONFIG_FILES": f"{etc}/keystone.conf"}),
        "placement": _Api("placement.wsgi.api", 4, {"OS_PLACEMENT_CONFIG_DIR": etc}),
        "glance": _Api("glance.wsgi.api", 4, {"OS_GLANCE_CONFIG_DIR": etc}),
        "nova-api": _Api(
            "nova.wsgi.osapi_compute", 8, {"OS_NOVA_CONFIG_DIR": etc, "OS_NOVA_CONFIG_FILES": nova_files}
        ),
        "neutron-api": _Api(
            "neutron.wsgi.api", 8, {"OS_NEUTRON_CONFIG_DIR": etc, "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}
        ),
        "cinder-api": _Api(
            "cinder.wsgi.api",
            6,
            {"OS_CINDER_DISABLE_EVENTLET_PATCHING": "1"},
            f"--config-file {etc}/cinder.conf",
        ),
    }


def environment(layout: Layout, site: SiteLayout) -> dict[str, str]:
    """What every daemon and command of a site sees; nothing is taken from the caller's shell."""
    return {
        "PATH": f"{layout.bin}:{layout.venv / 'bin'}:{SYSTEM_PATH}",
        "HOME": str(site.data),
        # Neutron keys its start-time file by the parent's pid, below TMPDIR: two sites need two.
        "TMPDIR": str(site.tmp),
        "XDG_CACHE_HOME": str(layout.cache),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        # glibc gives every thread an arena of its own; two are plenty and save some hundred MiB in all.
        "MALLOC_ARENA_MAX": "2",
        "CEPH_CONF": str(site.ceph_conf),
        # Programs of another lock file are other programs: the daemons are started anew.
        "LAB_LOCK": lock_digest(),
    }


def services(layout: Layout, plan: Site) -> tuple[Service, ...]:
    """All daemons of a site in the order in which they start."""
    site = layout.site(plan)
    env = environment(layout, site)
    openstack = _openstack(layout, site, env)
    machines: tuple[Service, ...] = ()
    if chosen(layout).is_real:
        machines = (_libvirtd(plan, site, env),)
        openstack = tuple(_inside(plan, one) if one.layer == "guests" else one for one in openstack)
    return (*_base(site, env), *_network(site, env), *_storage(site, env), *machines, *openstack)


def rabbit_environment(site: SiteLayout) -> dict[str, str]:
    """What the broker and its command need to be those of this site."""
    rabbit = site.data / "rabbitmq"
    return {
        "HOME": str(rabbit),
        "RABBITMQ_NODENAME": "lab@localhost",
        "RABBITMQ_MNESIA_BASE": str(rabbit / "mnesia"),
        "RABBITMQ_LOG_BASE": str(site.log),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(site.etc / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(site.etc / "rabbitmq-plugins"),
        "RABBITMQ_PID_FILE": str(site.run / "rabbitmq-own.pid"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": "25672",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
        " -kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP": str(site.log / "rabbitmq.crash"),
        # Makes the start script become the broker instead of staying as its parent.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


#: Open vSwitch 3.1.0 without a kernel module aborts at an assertion of its connection tracking, at random.
#: Whatever else ends it is for `up` to see.
_AGAIN = """trap 'kill "$child"; wait "$child"; exit' TERM
while :; do "$@" & child=$!; wait "$child"; [ $? -eq 134 ] || exit; done"""


def _base(site: SiteLayout, env: Mapping[str, str]) -> tuple[Service, ...]:
    cnf, conf = site.etc / "mariadb.cnf", site.etc / "rabbitmq.conf"
    mariadb = ("mariadbd", f"--defaults-file={cnf}")
    rabbitmq = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)
    memcached = ("memcached", "-u", "root", "-l", "127.0.0.1", "-m", "64", "-c", "2048")
    broker = {**env, **rabbit_environment(site)}
    return (
        Service("mariadb", "database", mariadb, env, (cnf,), loopback=True, stop_s=40),
        Service("epmd", "messages", ("epmd", "-address", "127.0.0.1"), env, loopback=True),
        Service("rabbitmq", "messages", rabbitmq, broker, (conf,), loopback=True, stop_s=30),
        Service("memcached", "cache", memcached, env, loopback=True),
    )


def _network(site: SiteLayout, env: Mapping[str, str]) -> tuple[Service, ...]:
    data = site.data / "ovn"
    quiet = "-vconsole:warn"

    directories = {**env, "OVS_RUNDIR": str(site.run), "OVN_RUNDIR": str(site.run)}

    def database(name: str) -> Service:
        argv = ("ovsdb-server", str(data / f"{name}.db"), f"--remote=punix:{site.socket(name)}", quiet,
                f"--unixctl={site.run / name}.ctl")  # fmt: skip
        return Service(name, "network", argv, directories, socket=site.socket(name))

    def daemon(*argv: str) -> Service:
        return Service(argv[0], "network", (*argv, quiet), directories)

    def lasting(*argv: str) -> Service:
        return Service(argv[0], "network", ("/bin/sh", "-c", _AGAIN, "again", *argv, quiet), directories)

    switch, north, south = (f"unix:{site.socket(name)}" for name in ("ovs-db", "ovn-nb", "ovn-sb"))
    return (
        *(database(name) for name in ("ovn-nb", "ovn-sb", "ovs-db")),
        lasting("ovs-vswitchd", switch),
        daemon("ovn-northd", f"--ovnnb-db={north}", f"--ovnsb-db={south}"),
        daemon("ovn-controller", switch),
    )


def _storage(site: SiteLayout, env: Mapping[str, str]) -> tuple[Service, ...]:
    conf = (site.ceph_conf,)

    def ceph(name: str, *argv: str, socket: str | None = None) -> Service:
        path = site.run / f"{socket}.asok" if socket else None
        return Service(name, "storage", (*argv, "-f", "-c", str(site.ceph_conf)), env, conf, socket=path)

    return (
        ceph("ceph-mon", "ceph-mon", "-i", "a", socket="mon.a"),
        ceph("ceph-mgr", "ceph-mgr", "-i", "x"),
        ceph("ceph-osd", "ceph-osd", "-i", "0", socket="osd.0"),
        ceph("radosgw", "radosgw", "-n", "client.rgw.x"),
    )


def _libvirtd(plan: Site, site: SiteLayout, env: Mapping[str, str]) -> Service:
    """Its directories are compiled into it, so it gets a view of its own of the file system."""
    etc, run = site.etc / "libvirt", site.run / "libvirt"
    argv = ("unshare", "--mount", "--uts", "sh", str(_TEMPLATES / "libvirtd.sh"),
            plan.name, str(etc), str(run), str(site.data / "libvirt"))  # fmt: skip
    files = (etc / "libvirtd.conf", etc / "qemu.conf")
    return Service("libvirtd", "machines", argv, env, files, socket=run / "libvirt-sock")


def _inside(plan: Site, service: Service) -> Service:
    """The service with a /sys of its site: it looks there for the network devices of guests."""
    return replace(service, argv=("ip", "netns", "exec", plan.namespace, *service.argv))


def _openstack(layout: Layout, site: SiteLayout, env: Mapping[str, str]) -> tuple[Service, ...]:
    programs = layout.venv / "bin"
    applications = wsgi_applications(layout, site)

    def api(name: str, conf: str) -> Service:
        ini = site.etc / f"uwsgi-{name}.ini"
        layer = "identity" if name == "keystone" else "control"
        # In the environment, not in the ini file: Python runs before uWSGI reads that.
        own = {**env, **applications[name].env}
        return Service(
            name, layer, (str(programs / "uwsgi"), "--ini", str(ini)), own, (ini, site.etc / conf), stop_s=6
        )

    def daemon(name: str, conf: str, program: str = "", layer: str = "control") -> Service:
        argv = (str(programs / (program or name)), "--config-file", str(site.etc / conf))
        return Service(name, layer, argv, env, (site.etc / conf,), stop_s=12)

    return (
        api("keystone", "keystone.conf"),
        api("placement", "placement.conf"),
        daemon("nova-conductor", "nova.conf"),
        api("neutron-api", "neutron.conf"),
        api("nova-api", "nova.conf"),
        api("glance", "glance-api.conf"),
        api("cinder-api", "cinder.conf"),
        daemon("nova-scheduler", "nova.conf"),
        daemon("nova-compute", "nova-compute.conf", layer="guests"),
        daemon("cinder-scheduler", "cinder.conf"),
        daemon("cinder-volume", "cinder.conf"),
        daemon("cinder-backup", "cinder.conf"),
        daemon("neutron-periodic", "neutron.conf", "neutron-periodic-workers"),
        daemon("neutron-maintenance", "neutron.conf", "neutron-ovn-maintenance-worker"),
    )
