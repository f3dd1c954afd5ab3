"""Which daemons listen to their queues; asked of RabbitMQ itself."""

import json

from lab.commands import run
from lab.layout import SiteLayout
from lab.services import rabbit_environment
from lab.sites import Site

_RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
#: The queue on which each daemon takes its orders; %s is the site's name.
QUEUES = {
    "nova-conductor": "conductor.%s",
    "nova-scheduler": "scheduler.%s",
    "nova-compute": "compute.%s",
    "cinder-scheduler": "cinder-scheduler.%s",
    "cinder-volume": "cinder-volume.%s@rbd",
    "cinder-backup": "cinder-backup.%s",
}


def deaf(plan: Site, site: SiteLayout) -> list[str]:
    """The daemons that no message reaches: an order to them would be lost without an error."""
    answer = run(
        [_RABBITMQCTL, "-q", "list_queues", "name", "consumers", "--formatter", "json"],
        log=site.setup_log, namespace=plan.namespace, env=rabbit_environment(site), timeout_s=30,
    )  # fmt: skip
    consumers = {queue["name"]: queue["consumers"] for queue in json.loads(answer)}
    return [name for name, queue in QUEUES.items() if not consumers.get(queue % plan.name)]
