# mypy: ignore-errors
"""Nova's fake driver with a memory: the node keeps its identity and guests over a restart.

Installed into nova.virt of the lab's environment, since Nova loads drivers from there only.
"""

import io

from nova import context as nova_context
from nova import objects
from nova.image import glance
from nova.virt import fake


class RememberedDriver(fake.FakeDriverWithoutFakeNodes):
    """Guests are what Nova's database says they are."""

    def init_host(self, host):
        super().init_host(host)
        for instance in objects.InstanceList.get_by_host(nova_context.get_admin_context(), host):
            self.instances[instance.uuid] = fake.FakeInstance(
                instance.name, instance.power_state, instance.uuid
            )
            flavor = instance.flavor
            self.resources.claim(vcpus=flavor.vcpus, mem=flavor.memory_mb, disk=flavor.root_gb)

    def detach_interface(self, context, instance, vif):
        # Interfaces plugged before the restart are known to Neutron only.
        self._interfaces.pop(vif["id"], None)

    def snapshot(self, context, instance, image_id, update_task_state):
        """Uploads a small disk, so that the image becomes usable as it does on a real cloud."""
        super().snapshot(context, instance, image_id, update_task_state)
        metadata = {"disk_format": "raw", "container_format": "bare"}
        glance.API().update(
            context, image_id, metadata, io.BytesIO(instance.uuid.encode().ljust(1 << 20, b"\0"))
        )
