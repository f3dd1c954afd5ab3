# mypy: ignore-errors
"""Cinder's RBD driver with copied volumes that stand alone.

A mirrored image may have no parent that is not mirrored; Ceph 16 does not refuse it but ends the process that
asks. So what was cloned of an image or a snapshot is made whole before it is copied to the other site.
Installed into cinder.volume.drivers of the lab's environment.
"""

from cinder.volume.drivers import rbd


class StandingAloneDriver(rbd.RBDDriver):
    """Volumes of a replicated type are flattened first, whatever they were made of."""

    def _enable_replication(self, volume):
        with rbd.RBDVolumeProxy(self, volume.name) as image:
            try:
                image.parent_info()
            except rbd.rbd.ImageNotFound:
                pass
            else:
                image.flatten()
        return super()._enable_replication(volume)
