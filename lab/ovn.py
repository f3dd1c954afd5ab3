"""The databases of Open vSwitch and OVN, and what they must say before their daemons are useful."""

from pathlib import Path

from lab.commands import run
from lab.layout import SiteLayout
from lab.sites import Site

_SCHEMAS = {
    "ovn-nb": Path("/usr/share/ovn/ovn-nb.ovsschema"),
    "ovn-sb": Path("/usr/share/ovn/ovn-sb.ovsschema"),
    "ovs-db": Path("/usr/share/openvswitch/vswitch.ovsschema"),
}


def create_databases(site: SiteLayout) -> None:
    """Makes the three database files, each once."""
    data = site.data / "ovn"
    data.mkdir(exist_ok=True)
    for name, schema in _SCHEMAS.items():
        path = data / f"{name}.db"
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            run(["ovsdb-tool", "create", str(fresh), str(schema)], log=site.setup_log)
            fresh.replace(path)


def configure(plan: Site, site: SiteLayout) -> None:
    """Tells the switch that it is a chassis, in user space since the kernel has no Open vSwitch; repeatable.

    The chassis must carry the name that Nova gives its host, or Neutron binds no port to it.
    """
    chassis = {
        "system-id": f"chassis-{plan.name}",
        "hostname": plan.name,
        "ovn-remote": f"unix:{site.socket('ovn-sb')}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": "127.0.0.1",
        "ovn-bridge": "br-int",
        "ovn-bridge-datapath-type": "netdev",
        "ovn-bridge-mappings": "external:br-ex",
        "ovn-cms-options": "enable-chassis-as-gw",
        "ovn-monitor-all": "true",
    }
    switch = ["ovs-vsctl", f"--db=unix:{site.socket('ovs-db')}", "--no-wait"]
    log = site.setup_log
    run([*switch, "init"], log=log)
    run(
        [
            *switch,
            "set", "Open_vSwitch", ".", *(f"external_ids:{key}={value}" for key, value in chassis.items()),
            *_bridge("br-ex", "standalone"),
            *_bridge("br-int", "secure"),
        ],
        log=log,
    )  # fmt: skip
    run(["ovn-nbctl", f"--db=unix:{site.socket('ovn-nb')}", "--no-leader-only", "init"], log=log)
    run(["ovn-sbctl", f"--db=unix:{site.socket('ovn-sb')}", "--no-leader-only", "init"], log=log)


def _bridge(name: str, fail_mode: str) -> list[str]:
    return ["--", "--may-exist", "add-br", name,
            "--", "set", "bridge", name, "datapath_type=netdev", f"fail_mode={fail_mode}"]  # fmt: skip
