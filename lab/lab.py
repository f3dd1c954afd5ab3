"""The lab as a whole: what a user of the package calls."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import bringup, ceph, extras, nameserver, namespaces, reach, status, witness
from lab.compute import LIBVIRT, REMEMBERED, Compute, choose, chosen
from lab.credentials import Credentials
from lab.daemons import Daemons
from lab.errors import LabError
from lab.layout import Layout
from lab.sites import Site, plan
from lab.status import ServiceStatus
from lab.steps import run_all


class Lab:
    """A province and its cities below one directory; one per machine, since its networks have fixed names."""

    def __init__(self, home: Path, cities: int = 1) -> None:
        self._layout = Layout(home.resolve())
        self._sites = plan(max(cities, self._cities_made()))

    @property
    def clouds_yaml(self) -> Path:
        return self._layout.clouds_yaml

    @property
    def stores_yaml(self) -> Path:
        return self._layout.stores_yaml

    @property
    def made(self) -> list[Path]:
        """The files that tell cloudctl of the lab, as far as there are any."""
        beside = (self._layout.witness_yaml, self._layout.dns_yaml, self._layout.storage_yaml)
        files = (self.clouds_yaml, self.stores_yaml, *beside)
        return [path for path in files if path.exists()]

    @property
    def _places(self) -> tuple[Site, ...]:
        """The sites, and the third place where something is there."""
        return extras.places(extras.chosen(self._layout), self._sites)

    def up(
        self, report: Callable[[str], None], guests: bool | None = None, with_extras: Sequence[str] = ()
    ) -> None:
        """Brings every site to work: installs, makes, starts, repairs, joins what is not so, and waits.

        May be called at any time, also after it was killed; on a lab that works it changes nothing. `guests`
        says whether guests are real machines from now on; None leaves it as it is. `with_extras` names what
        the lab is to have beside its clouds from now on (lab/extras.py).
        """
        if guests is not None:
            self._choose(LIBVIRT if guests else REMEMBERED)
        with self._locked():
            extras.choose(self._layout, with_extras)
        self._bring_up(self._places, report)

    def down(self) -> None:
        """Stops everything and removes the namespaces; the data stays for the next `up`."""
        with self._locked():
            self._side_by_side(self._take_down)

    def destroy(self) -> None:
        """Takes the lab down and removes its data; the downloaded environment and the templates stay."""
        with self._locked():
            self._side_by_side(self._wipe)
            witness.forget(self._layout)
            nameserver.forget(self._layout)
            self._layout.credentials.unlink(missing_ok=True)
            self._layout.guests_mark.unlink(missing_ok=True)
            self._layout.extras_mark.unlink(missing_ok=True)
            self._layout.clouds_yaml.unlink(missing_ok=True)
            self._layout.stores_yaml.unlink(missing_ok=True)
            self._layout.storage_yaml.unlink(missing_ok=True)

    def status(self) -> list[ServiceStatus]:
        return [row for site in self._places for row in status.of_site(self._layout, site)]

    def site_stop(self, name: str) -> None:
        """Stops every daemon of a site; its network stays, so its addresses refuse instead of swallowing."""
        with self._locked():
            Daemons(self._layout, self._site(name)).stop()

    def site_start(self, name: str, report: Callable[[str], None] = lambda line: None) -> None:
        """Starts a site that was stopped, and waits until it is ready."""
        self._bring_up((self._site(name),), report)

    def site_cut(self, name: str) -> None:
        """Cuts a site off from the machine and the other sites; its daemons run on."""
        namespaces.cut(self._site(name), self._layout.log / "setup.log")

    def site_join(self, name: str) -> None:
        """Ends a cut."""
        site = self._site(name)
        namespaces.join(site, self._layout.log / "setup.log")
        if site.is_cloud and chosen(self._layout).is_real:
            reach.add_routes(self._layout, site)

    def site_destroy(self, name: str) -> None:
        """Loses a site for good: daemons, network and data. The next `up` makes it anew and empty."""
        with self._locked():
            self._wipe(self._site(name))

    def _choose(self, compute: Compute) -> None:
        """Changes what runs the guests; what ran them until now is stopped."""
        with self._locked():
            self._layout.home.mkdir(parents=True, exist_ok=True)
            if chosen(self._layout) != compute:
                self._side_by_side(lambda site: Daemons(self._layout, site).stop_guests())
                choose(self._layout, compute)

    def _bring_up(self, sites: Sequence[Site], report: Callable[[str], None]) -> None:
        with self._locked():
            blueprint = self._blueprint()
            bringup.render(blueprint)
            run_all(bringup.all_steps(blueprint, sites), report)

    def _cities_made(self) -> int:
        """A city stays in the lab until it is destroyed, also when a later command does not count it."""
        made = (int(path.name.removeprefix("city-")) for path in self._layout.sites.glob("city-*"))
        return max(made, default=1)

    def _blueprint(self) -> bringup.Blueprint:
        self._layout.home.mkdir(parents=True, exist_ok=True)
        credentials = Credentials(self._layout.credentials, self._sites)
        return bringup.Blueprint(
            self._layout, self._sites, credentials, chosen(self._layout), extras.chosen(self._layout)
        )

    def _site(self, name: str) -> Site:
        for site in self._places:
            if site.name == name:
                return site
        raise LabError(f"there is no site {name}; there are {', '.join(site.name for site in self._places)}")

    def _take_down(self, site: Site) -> None:
        daemons = Daemons(self._layout, site)
        daemons.stop()
        daemons.kill_strays()
        namespaces.remove(site, self._layout.log / "setup.log")

    def _side_by_side(self, action: Callable[[Site], None]) -> None:
        with ThreadPoolExecutor(len(self._places)) as pool:
            list(pool.map(action, self._places))

    def _wipe(self, site: Site) -> None:
        self._take_down(site)
        ceph.keyring_link(site).unlink(missing_ok=True)
        shutil.rmtree(self._layout.site(site).root, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lets one command at a time change the lab; the next one waits."""
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces and needs root")
        self._layout.lock.parent.mkdir(parents=True, exist_ok=True)
        with self._layout.lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
