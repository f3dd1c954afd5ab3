"""How much a site can hold and holds, from Placement's inventories and Cinder's pools."""

from collections.abc import Mapping

from cloudctl.amounts import Kind
from cloudctl.ports import Room
from provisioning.drivers.openstack_http import Caller, Json

_CLASSES = {"VCPU": Kind.VCPUS, "MEMORY_MB": Kind.RAM_MIB}


def capacity(call: Caller) -> dict[Kind, Room]:
    """What all hosts and pools have together; a kind without an end, or that nobody tells, is not in it."""
    hosts = _hosts(call)
    storage = _storage(call)
    return hosts if storage is None else {**hosts, Kind.VOLUME_GIB: storage}


def _hosts(call: Caller) -> dict[Kind, Room]:
    """Two calls for each host: Placement has no listing of inventories."""
    rooms: dict[Kind, Room] = {}
    what = "list the resource providers"
    for row in call.get("placement", "/resource_providers", what)["resource_providers"]:
        path, name = f"/resource_providers/{row['uuid']}", str(row["name"])
        there = call.get("placement", f"{path}/inventories", f"show what {name} has")["inventories"]
        used = call.get("placement", f"{path}/usages", f"show what is used of {name}")["usages"]
        for word, kind in _CLASSES.items():
            if word in there:
                rooms[kind] = rooms.get(kind, Room(0, 0)) + Room(_usable(there[word]), int(used.get(word, 0)))
    return rooms


def _usable(inventory: Mapping[str, float]) -> int:
    """As Placement itself counts: what is not reserved, times what may be promised of it."""
    return int((inventory["total"] - inventory.get("reserved", 0)) * inventory.get("allocation_ratio", 1.0))


def _storage(call: Caller) -> Room | None:
    query = {"detail": "true"}
    pools = call.get("block-storage", "/scheduler-stats/get_pools", "list the storage pools", query)["pools"]
    rooms = [_pool(pool.get("capabilities") or {}) for pool in pools]
    if not rooms or any(room is None for room in rooms):
        return None
    return sum((room for room in rooms if room is not None), Room(0, 0))


def _pool(told: Json) -> Room | None:
    """One pool; None for one that says "infinite" or "unknown"."""
    total, free = told.get("total_capacity_gb"), told.get("free_capacity_gb")
    if not isinstance(total, int | float) or not isinstance(free, int | float):
        return None
    usable = total * (1 - float(told.get("reserved_percentage") or 0) / 100)
    if not told.get("thin_provisioning_support"):
        return Room(int(usable), int(total - free))
    try:
        ratio = float(told.get("max_over_subscription_ratio") or 1)
    except ValueError:  # "auto": a ratio that moves with the use says nothing about what still fits
        return None
    # A driver that has its pool to itself tells what Cinder has given out, and not what there is in it.
    promised = told.get("provisioned_capacity_gb") or told.get("allocated_capacity_gb") or total - free
    return Room(int(usable * ratio), int(promised))
