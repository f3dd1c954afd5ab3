"""A worker process of the live tests: works on one operation until it has ended, or until it is killed."""

import sys
import threading
from pathlib import Path

from provisioning.drivers.openstack_cloud import OpenStackClouds
from tests.live.building import LabWorld, open_lab_core
from tests.live.protecting import guarded, is_guarded


def main() -> None:
    home, installation, operation_id = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    core = open_lab_core(home, installation)
    world = guarded(core) if is_guarded(core) else LabWorld(core, OpenStackClouds(core.settings, core.store))
    engine, pause = world.engine(), threading.Event()
    while world.operation(operation_id).ended_at is None:
        if not engine.run(operation_id):
            pause.wait(0.1)


if __name__ == "__main__":
    main()
