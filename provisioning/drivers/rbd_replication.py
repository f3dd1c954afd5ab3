"""Replication by Ceph's rbd-mirror in journal mode, each site asked through its own `rbd` command.

Cinder names the image of a volume `volume-ID`; the pair has one id at all sites. Everything is decided from
what the storage says just then, so that each call may be repeated after a crash.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from cloudctl.clock import Clock
from cloudctl.errors import StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.ports.replication import Mark, Replica, ReplicaState
from provisioning.drivers.rbd_command import AlreadyThere, NotThere, Rbd, RbdAccess
from provisioning.drivers.rbd_states import is_primary_elsewhere, replica

Json = dict[str, Any]

_MARKS: Final = {Mark.MOVE: "cloudctl_mark", Mark.BEAT: "cloudctl_beat"}
_WRITABLE: Final = "cloudctl_writable"
_WORD: Final = re.compile(r"[A-Za-z0-9:.+-]{1,200}")
#: Without a journal: nobody follows a copy, and its writes need not be written twice.
_PLAIN: Final = "layering,exclusive-lock,object-map,fast-diff,deep-flatten"
_SIDE_BY_SIDE: Final = 4
_EVICTED_S: Final = "3600"


class RbdReplication:
    """Implements Replication."""

    def __init__(self, access: Mapping[str, RbdAccess], clock: Clock) -> None:
        self._rbd = {site: Rbd(one) for site, one in access.items()}
        self._ceph = {site: Rbd(one, ("ceph",)) for site, one in access.items()}
        self._clock = clock

    def sites(self) -> tuple[str, ...]:
        return tuple(self._rbd)

    def replicas(self, site: str, volume_ids: tuple[str, ...]) -> list[Replica]:
        rbd, rows = self._at(site), self._statuses(site)
        now = self._clock.now()

        def look(volume_id: str) -> Replica:
            name = _name_of(volume_id, rows)
            try:
                info = rbd.ask("info", rbd.spec(name))
            except NotThere:
                return Replica(volume_id, site, ReplicaState.ABSENT, seen_at=now)
            return replica(volume_id, site, info, rows.get(name, {}), now)

        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            return list(pool.map(look, volume_ids))

    # -- marks

    def mark(self, site: str, volume_id: str, word: str, kind: Mark = Mark.MOVE) -> None:
        if not _WORD.fullmatch(word):
            raise ValueError(f"no word for a mark: {word!r}")
        rbd, info = self._at(site), self._primary(site, volume_id)
        rbd.run("image-meta", "set", rbd.spec(info["name"]), _MARKS[kind], word)

    def marked(self, site: str, volume_id: str, kind: Mark = Mark.MOVE) -> str:
        rbd, info = self._at(site), self._info(site, volume_id)
        try:
            return rbd.run("image-meta", "get", rbd.spec(info["name"]), _MARKS[kind]).strip()
        except NotThere:
            return ""

    # -- who may write

    def must_be_closed(self, site: str, volume_id: str) -> None:
        self._check_closed(site, self._info(site, volume_id)["name"])

    def demote(self, site: str, volume_id: str) -> None:
        rbd, info = self._at(site), self._info(site, volume_id)
        if _is_primary(info):
            self._check_closed(site, info["name"])
            rbd.run("mirror", "image", "demote", rbd.spec(info["name"]))

    def evict(self, site: str, volume_id: str) -> None:
        """By their addresses as watchers of this image: other clients of the same host go on. The entry ends
        by itself, when the image has long been demoted; `profile rbd` may make it and not remove it."""
        rbd, info = self._at(site), self._info(site, volume_id)
        for watcher in rbd.ask("status", rbd.spec(info["name"])).get("watchers") or ():
            self._ceph[site].run("osd", "blocklist", "add", str(watcher["address"]), _EVICTED_S)

    def promote(self, site: str, volume_id: str, *, is_forced: bool = False) -> None:
        rbd, info = self._at(site), self._info(site, volume_id)
        if not _is_primary(info):
            force = ("--force",) if is_forced else ()
            rbd.run("mirror", "image", "promote", rbd.spec(info["name"]), *force)
        # The daemon may have the image open and locked a little longer, and whoever would write is told that
        # it is read-only. To write a word takes the same lock as a rename: StorageBusy until it is free.
        rbd.run("image-meta", "set", rbd.spec(info["name"]), _WRITABLE, "yes")

    def resync(self, site: str, volume_id: str) -> None:
        rbd, info = self._at(site), self._info(site, volume_id)
        if _is_primary(info):
            raise StorageRefused("{site}: {image} is the primary", site=site, image=info["name"])
        rbd.run("mirror", "image", "resync", rbd.spec(info["name"]))

    def set_aside(self, site: str, volume_id: str, name: str) -> None:
        """Renamed before it leaves the pair, and a primary when it is renamed: so that a crash between leaves
        an image that is still found by its new name."""
        rbd = self._at(site)
        there = self._find(site, name)
        if there is None:
            info = self._info(site, volume_id)
            status = rbd.ask("mirror", "image", "status", rbd.spec(info["name"]))
            if not is_primary_elsewhere(status):
                # Taken out of the pair here, its copy there would be removed.
                raise StorageBusy(
                    "{site}: the other site does not say that it has {image} as primary",
                    site=site, image=info["name"],
                )  # fmt: skip
            if _is_primary(info):
                self._check_closed(site, info["name"])
            else:
                rbd.run("mirror", "image", "promote", rbd.spec(info["name"]), "--force")
            rbd.run("rename", rbd.spec(info["name"]), rbd.spec(name))
            there = self._info_named(site, name)
        if _is_mirrored(there):
            rbd.run("mirror", "image", "disable", rbd.spec(name))

    # -- moments and copies

    def moment(self, site: str, volume_id: str, name: str) -> None:
        rbd, info = self._at(site), self._primary(site, volume_id)
        try:
            rbd.run("snap", "create", "--no-progress", rbd.spec(info["name"], name))
        except AlreadyThere:
            return

    def drop_moment(self, site: str, volume_id: str, name: str) -> None:
        rbd, info = self._at(site), self._primary(site, volume_id)
        try:
            rbd.run("snap", "rm", "--no-progress", rbd.spec(info["name"], name))
        except NotThere:
            return

    def copy_for_drill(self, site: str, volume_id: str, moment: str, name: str) -> None:
        rbd = self._at(site)
        there = self._find(site, name)
        if there is not None and there.get("parent"):
            return
        if there is not None:  # a crash left a header without its parent
            rbd.run("rm", "--no-progress", rbd.spec(name))
        image = self._info(site, volume_id)["name"]
        if all(row["name"] != moment for row in rbd.ask("snap", "ls", rbd.spec(image))):
            raise StorageBusy(
                "{site}: the moment {moment} of {image} has not arrived",
                site=site, moment=moment, image=image,
            )  # fmt: skip
        rbd.run(
            "clone", "--rbd-default-clone-format", "2", "--image-feature", _PLAIN,
            rbd.spec(image, moment), rbd.spec(name),
        )  # fmt: skip

    def drop_copy(self, site: str, name: str) -> None:
        rbd, there = self._at(site), self._find(site, name)
        if there is None:
            return
        if _is_mirrored(there):
            raise StorageRefused("{site}: {image} is part of a pair", site=site, image=name)
        self._check_closed(site, name)
        try:
            if there.get("snapshot_count"):  # those that came with what was set aside
                for row in rbd.ask("snap", "ls", rbd.spec(name)):
                    if str(row.get("protected")).lower() == "true":
                        rbd.run("snap", "unprotect", rbd.spec(name, row["name"]))
                rbd.run("snap", "purge", "--no-progress", rbd.spec(name))
            rbd.run("rm", "--no-progress", rbd.spec(name))
        except NotThere:
            return

    # -- the pieces

    def _at(self, site: str) -> Rbd:
        found = self._rbd.get(site)
        if found is None:
            raise StorageUnavailable("the storage of {site} is not in storage.yaml", site=site)
        return found

    def _statuses(self, site: str) -> dict[str, Json]:
        """What the daemon says of each image of the pool, by its name."""
        rbd = self._at(site)
        rows = rbd.ask("mirror", "pool", "status", rbd.access.pool, "--verbose").get("images") or ()
        return {str(row["name"]): row for row in rows}

    def _find(self, site: str, name: str) -> Json | None:
        """The image of that name; None: there is none."""
        try:
            return self._info_named(site, name)
        except NotThere:
            return None

    def _info_named(self, site: str, name: str) -> Json:
        rbd = self._at(site)
        info: Json = rbd.ask("info", rbd.spec(name))
        return info

    def _info(self, site: str, volume_id: str) -> Json:
        """The image of a volume, by Cinder's id or by the pair's. StorageRefused when there is none."""
        found = self._find(site, f"volume-{volume_id}")
        if found is None:
            name = _name_of(volume_id, self._statuses(site))
            found = self._find(site, name)
        if found is None:
            raise StorageRefused("{site}: there is no image of volume {volume}", site=site, volume=volume_id)
        return found

    def _primary(self, site: str, volume_id: str) -> Json:
        info = self._info(site, volume_id)
        if not _is_primary(info):
            raise StorageRefused("{site}: {image} is not the primary", site=site, image=info["name"])
        return info

    def _check_closed(self, site: str, name: str) -> None:
        """Cinder's and Nova's clients watch what they have open; an abandoned watch ends after 30 s."""
        rbd = self._at(site)
        if watchers := rbd.ask("status", rbd.spec(name)).get("watchers"):
            raise StorageBusy(
                "{site}: {image} is open at {address}",
                site=site, image=name, address=str(watchers[0].get("address", "")).partition("/")[0],
            )  # fmt: skip


def _name_of(volume_id: str, rows: Mapping[str, Json]) -> str:
    """The image's name: that of the volume, or that which the pair of this id has now."""
    own = f"volume-{volume_id}"
    if own in rows:
        return own
    return next((name for name, row in rows.items() if row.get("global_id") == volume_id), own)


def _is_mirrored(info: Json) -> bool:
    return (info.get("mirroring") or {}).get("state") == "enabled"


def _is_primary(info: Json) -> bool:
    return _is_mirrored(info) and bool(info["mirroring"].get("primary"))
