"""What the tests of backups start from: a system with two volumes at the province, vaults at both sites."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.escrow import EscrowKey
from cloudctl.models import (
    BackupPolicy,
    Operation,
    PointCopy,
    PointProof,
    PointVolume,
    PolicyMember,
    Project,
    RecoveryPoint,
    Restore,
    Site,
    Vault,
)
from cloudctl.operations import Engine, Flow
from cloudctl.ports import LockMode, NewVolume, Quiescing
from cloudctl.secrets import Box, Signer
from dr import starting
from dr.backup_flow import Backup
from dr.expiry_flow import Expire
from dr.keyring import Keyring
from dr.marks import TAG_POINT, TAG_RESTORE
from dr.proof_flow import Prove
from dr.restore_flow import RestorePoint
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_objects import FakeStores
from tests.builders import a_province, a_resource

SYSTEM, SOURCE, CITY = "gx-finance-budget", "province", "city-1"
SITES = (SOURCE, CITY)
HOUR_S, DAY_S = 3600, 86400


class Impatient:
    """A frozen clock for a worker that must come to an end: who waits very often goes round in circles."""

    def __init__(self, clock: FrozenClock, most: int = 400) -> None:
        self._clock = clock
        self._left = most

    def now(self) -> datetime:
        return self._clock.now()

    def ticks(self) -> float:
        return self._clock.ticks()

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self._left -= 1
        assert self._left > 0, "it waits for what never comes"
        return self._clock.wait(seconds, woken)


@dataclass
class Protected:
    """One installation, two clouds with their stores, and whoever works on it."""

    core: Core
    clock: FrozenClock
    clouds: dict[str, FakeCloud]
    stores: FakeStores
    keyring: Keyring
    volumes: list[str]  # external ids, what the system boots from first
    quiescing: Quiescing | None = None
    external: dict[str, str] = field(default_factory=dict)  # site -> project

    @property
    def source(self) -> FakeCloud:
        return self.clouds[SOURCE]

    def engine(self) -> Engine:
        """A worker of its own: nothing but the database is shared with the others."""
        clouds, settings = FakeClouds(self.clouds), self.core.settings
        flows: Mapping[str, Flow] = {
            starting.BACKUP: Backup(clouds, self.stores, self.keyring, settings, self.quiescing),
            starting.PROOF: Prove(clouds, self.stores, self.keyring, settings),
            starting.RESTORE: RestorePoint(clouds, self.stores, self.keyring, settings),
            starting.EXPIRY: Expire(clouds, self.stores, settings),
        }
        return Engine(self.core.store, Impatient(self.clock), flows, settings.lease_s)

    def work(self, operation_id: int | None, limit_s: float = DAY_S) -> Operation:
        """Run the operation to its end with one worker, waiting as long as it takes."""
        assert operation_id is not None
        engine, spent = self.engine(), 0.0
        while self.operation(operation_id).ended_at is None:
            if not engine.run(operation_id):
                ahead = (self.operation(operation_id).next_at - self.clock.now()).total_seconds()
                self.clock.advance(max(5, ahead))
                spent += max(5, ahead)
            assert spent < limit_s, self.operation(operation_id).why
        return self.operation(operation_id)

    # -- beginning

    def begin(self, kind: str | None = None) -> str:
        """A new point of the member, not worked on yet."""
        self.clock.advance(60)
        with self.core.store.write() as uow:
            member = uow.all(PolicyMember)[0]
            return starting.begin_point(uow, self.clock, member, self.clock.now(), kind).id

    def back_up(self, kind: str | None = None) -> RecoveryPoint:
        """A new point, worked on to its end."""
        point_id = self.begin(kind)
        self.work(self.point(point_id).operation_id)
        return self.point(point_id)

    def prove(self, point_id: str, level: str, site: str = CITY) -> PointProof:
        with self.core.store.write() as uow:
            point = uow.need(RecoveryPoint, point_id)
            proof = starting.begin_proof(uow, self.clock, point, level, site, "dave")
            proof_id, operation_id = proof.id, proof.operation_id
        self.work(operation_id)
        with self.core.store.read() as uow:
            return uow.need(PointProof, proof_id)

    def begin_restore(
        self, point_id: str, to: str = CITY, volumes: Sequence[Mapping[str, Any]] = ()
    ) -> Restore:
        with self.core.store.write() as uow:
            point = uow.need(RecoveryPoint, point_id)
            return starting.begin_restore(
                uow, self.clock, point, CITY, to, self.external[to], "dave", volumes
            )

    def restore(self, point_id: str, to: str = CITY, volumes: Sequence[Mapping[str, Any]] = ()) -> Restore:
        row = self.begin_restore(point_id, to, volumes)
        self.work(row.operation_id)
        with self.core.store.read() as uow:
            return uow.need(Restore, row.id)

    def expire(self, point_id: str) -> Operation:
        with self.core.store.write() as uow:
            operation_id = starting.begin_expiry(uow, self.clock, uow.need(RecoveryPoint, point_id)).id
        return self.work(operation_id)

    # -- the guest

    def scribble(self, position: int = 0, seed: int = 1, blocks: int = 3) -> None:
        """Some blocks of a volume change, as a guest would change them."""
        draw = random.Random(seed)
        whole = len(self.source.content(self.volumes[position])) // 32768
        for _ in range(blocks):
            self.source.write(self.volumes[position], 32768 * draw.randrange(whole), draw.randbytes(32768))

    def contents(self) -> list[bytes]:
        return [self.source.content(one) for one in self.volumes]

    # -- reading

    def operation(self, operation_id: int | None) -> Operation:
        with self.core.store.read() as uow:
            return uow.need(Operation, operation_id)

    def point(self, point_id: str) -> RecoveryPoint:
        with self.core.store.read() as uow:
            return uow.need(RecoveryPoint, point_id)

    def copies(self, point_id: str) -> dict[str, PointCopy]:
        with self.core.store.read() as uow:
            return {row.site_id: row for row in uow.all(PointCopy, PointCopy.point_id == point_id)}

    def parts(self, point_id: str) -> list[PointVolume]:
        with self.core.store.read() as uow:
            order = [PointVolume.position]
            return uow.all(PointVolume, PointVolume.point_id == point_id, order_by=order)

    def native_keys(self, site: str = SOURCE) -> list[str]:
        return self.stores.native_bucket(site).keys()

    # -- asserting

    def assert_nothing_over(self) -> None:
        """Snapshots: none. Backups and objects at the clouds: those of points that stand, nothing else."""
        with self.core.store.read() as uow:
            stands = uow.all(
                RecoveryPoint, RecoveryPoint.state.not_in(("failed", "cancelled", "expired", "expiring"))
            )
            rows = uow.all(PointVolume, PointVolume.point_id.in_([one.id for one in stands]))
        known = {row.backup_id for row in rows}
        for site, cloud in self.clouds.items():
            assert not cloud.cinder.snapshots, site
            assert {one.id for one in cloud.cinder.backups.values()} == (known if site == SOURCE else set())
            assert not [v for v in cloud.state.volumes.values() if TAG_POINT in v.tags], site
            names = {project.name for project in cloud.state.projects.values()}
            assert not [name for name in names if name.startswith("proof-")], site
        prefixes = {one.service_metadata for one in self.source.cinder.backups.values()}
        assert all(any(key.startswith(one) for one in prefixes) for key in self.native_keys())
        assert not self.native_keys(CITY)

    def assert_restored(self, restore: Restore, contents: Sequence[bytes], to: str = CITY) -> None:
        """The new volumes have exactly these bytes, and each is there once."""
        cloud = self.clouds[to]
        made = [restore.made[key]["volume"] for key in sorted(restore.made, key=int)]
        assert [cloud.content(one) for one in made] == list(contents)
        tagged = [one for one in cloud.state.volumes.values() if one.tags.get(TAG_RESTORE) == str(restore.id)]
        assert {one.id for one in tagged} == set(made)


def protect(
    core: Core,
    clock: FrozenClock,
    vault_sites: Sequence[str] = SITES,
    sizes_gib: Sequence[int] = (2, 1),
    lock: LockMode = LockMode.COMPLIANCE,
    quiescing: Quiescing | None = None,
    layout: Layout = Layout(),  # noqa: B008  # frozen
    **policy: Any,
) -> Protected:
    """A province whose budget system has one server and these volumes, and a policy for it."""
    a_province(core)
    stores = FakeStores(clock, SITES, lock=lock)
    clouds = {site: FakeCloud(site, clock, native=stores.native(site), layout=layout) for site in SITES}
    keyring = _keyring(core)
    external = {site: _project(core, clouds[site], site) for site in SITES}
    volumes = _server_with_volumes(core, clouds[SOURCE], external[SOURCE], sizes_gib)
    with core.store.write() as uow:
        for site in SITES:
            uow.need(Site, site).slots = 1
            public = keyring.escrow()[site].public
            uow.add(Vault(site_id=site, bucket=f"vault-{site}", lock_mode="compliance", escrow_key=public))
        row = uow.add(_policy(core, vault_sites, policy))
        uow.add(
            PolicyMember(
                policy_id=row.id, kind="system", system_id=SYSTEM, site_id=SOURCE, next_at=clock.now()
            )
        )
    return Protected(core, clock, clouds, stores, keyring, volumes, quiescing, external)


def same(world: Protected, core: Core) -> Protected:
    """The same world for another process, with a store of its own."""
    return replace(world, core=core)


def _policy(core: Core, vault_sites: Sequence[str], changes: Mapping[str, Any]) -> BackupPolicy:
    plain: dict[str, Any] = {
        "name": "daily",
        "tier": "T2",
        "every_s": DAY_S,
        "full_every": 7,
        "retention": {"last": 2},
        "lock_s": DAY_S,
        "vault_sites": list(vault_sites),
        "level": "L1",
        "prove_every_s": 7 * DAY_S,
        "created_at": core.clock.now(),
        "created_by": "dave",
    }
    return BackupPolicy(**{**plain, **changes})


def _keyring(core: Core) -> Keyring:
    keys = core.settings.keys
    if not (keys / "points.key").exists():
        Signer.make_key(keys / "points.key")
        Box.make_key(keys / "box.key")
    signer = Signer(keys / "points.key")
    for site in SITES:
        path = keys / "escrow" / f"{site}.json"
        if not path.exists():
            EscrowKey.make(path, core.settings.installation, site, (signer.public,), core.clock.now())
    held = {site: EscrowKey.read(keys / "escrow" / f"{site}.json") for site in SITES}
    return Keyring(signer, Box(keys / "box.key"), lambda: held)


def _project(core: Core, cloud: FakeCloud, site: str) -> str:
    domain = cloud.find_domain("Default")
    assert domain is not None
    made = cloud.create_project(domain.id, f"{SYSTEM}-prod", "", [])
    cloud.ensure_own_access(made.id)
    cloud.set_quota(made.id, Amounts({Kind.VOLUMES: 50, Kind.VOLUME_GIB: 500}))
    with core.store.write() as uow:
        uow.add(
            Project(
                id=f"{site}-budget", name=f"{SYSTEM}-prod", system_id=SYSTEM, department_id="gx-finance",
                site_id=site, external_id=made.id, state="active", created_at=core.clock.now(),
            )
        )  # fmt: skip
    return made.id


def _server_with_volumes(core: Core, cloud: FakeCloud, project: str, sizes_gib: Sequence[int]) -> list[str]:
    inside, made, rows = cloud.in_project(project), [], []
    for number, gib in enumerate(sizes_gib):
        name = f"budget-{'boot' if number == 0 else f'data{number}'}"
        volume = inside.create_volume(NewVolume(name, gib, "standard", {"cloudctl:system": SYSTEM}))
        made.append(volume.id)
        spec = {"size_gib": gib, "type": "standard", "role": "boot" if number == 0 else "data"}
        columns = {"kind": "volume", "name": name, "external_id": volume.id, "spec": spec}
        rows.append(a_resource(core, f"{SOURCE}-budget", {"volumes": 1, "volume_gib": gib}, **columns))
    inside.list_volumes()
    inside.list_volumes()
    server = {"flavor": "gov.small", "image": "debian-12", "boot": rows[0], "data": rows[1:]}
    a_resource(core, f"{SOURCE}-budget", {}, name="budget-vm1", external_id="server-1", spec=server)
    for number, volume_id in enumerate(made):
        size = len(cloud.content(volume_id))
        cloud.write(volume_id, 0, random.Random(number).randbytes(size // 2))
    return made
