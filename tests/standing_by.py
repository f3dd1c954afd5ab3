"""A home, and the cloudctl of a site that stands by for it: two homes, two databases, one witness."""

from dataclasses import dataclass
from pathlib import Path

from cloudctl.actors import Actor, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import SiteExport, Standby
from cloudctl.secrets import Box, Signer
from dr.alone import importing, keys, rounds
from dr.keyring import Keyring
from provisioning.drivers.fake_objects import FakeStores
from tests.builders import a_person, an_actor
from tests.conftest import make_core
from tests.flows.moving import CITY, PROVINCE, World, a_world

BUCKET = f"s3://vault-{CITY}"


@dataclass
class Pair:
    """The home at the province, and the standby of the city in an empty database of its own."""

    world: World
    stores: FakeStores
    keyrings: dict[str, Keyring]

    @property
    def clock(self) -> FrozenClock:
        return self.world.clock

    def core(self, site: str) -> Core:
        return self.world.cores[site]

    @property
    def home(self) -> Core:
        return self.core(PROVINCE)

    @property
    def city(self) -> Core:
        return self.core(CITY)

    def round(self, *sites: str) -> None:
        """What a worker does every few seconds, at these sites."""
        for site in sites or (PROVINCE, CITY):
            rounds.go_round(self.core(site), self.stores, lambda site=site: self.keyrings[site])  # type: ignore[misc]

    def exported(self, receiver: str = CITY, site: str = PROVINCE) -> SiteExport:
        with self.core(site).store.read() as uow:
            return uow.need(SiteExport, receiver)

    def standby(self) -> Standby:
        with self.city.store.read() as uow:
            return importing.standby_in(uow)

    def actor(self, name: str, site: str = CITY) -> Actor:
        return an_actor(self.core(site), name)


def a_pair(folder: Path) -> Pair:
    """The home exports to the city, whose cloudctl has taken everything in once."""
    world = a_world(folder, sites=(PROVINCE,))
    a_person(world.cores[PROVINCE], "lin", Role.CLOUD_ADMIN, ("site", CITY))
    (folder / CITY).mkdir()
    world.cores[CITY] = make_core(folder / CITY, clock=world.clock)
    home, city = world.cores[PROVINCE].settings, world.cores[CITY].settings
    signer = Signer.of(home.keys / "points.key")
    Box.make_key(home.keys / "box.key")
    file = city.keys / keys.PRIVATE
    keys.make(home, CITY, file, signer.public, world.clock.now())
    stores = FakeStores(world.clock, (PROVINCE, CITY))
    pair = Pair(world, stores, {PROVINCE: Keyring(signer, Box(home.keys / "box.key"))})
    pair.round(PROVINCE)
    opened, _site = importing.opening(file)
    importing.take_in(world.cores[CITY], importing.read(stores, opened, BUCKET))
    box = Box(city.keys / "box.key")  # came with the export
    pair.keyrings[CITY] = Keyring(Signer(city.keys / "points.key"), box)
    return pair
