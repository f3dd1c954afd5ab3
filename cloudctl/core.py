"""What every use case needs of the installation: settings, store, clock, audit and the bell."""

from dataclasses import dataclass

from cloudctl.audit import Audit
from cloudctl.clock import Clock
from cloudctl.config import Settings
from cloudctl.ports import Bell
from cloudctl.store import Store


@dataclass(frozen=True)
class Core:
    """Passed as the first argument of use cases. Holds no way to a cloud: `tenants` never speaks to one."""

    settings: Settings
    store: Store
    clock: Clock
    audit: Audit
    bell: Bell
