"""The composition root: the only place that picks drivers and wires the parts of an installation.

What speaks to clouds is loaded when it is first needed: a server at rest, and every command that only
reads the database, never pays for OpenStack's libraries.
"""

from cloudctl.bootstrap.app import App, SilentBell, open_app, open_core
from cloudctl.bootstrap.drivers import (
    open_application,
    open_clouds,
    open_dns,
    open_plays,
    open_replication,
    open_stores,
    open_witness,
    witness_papers,
)
from cloudctl.bootstrap.keys import (
    AUDIT_KEY,
    BOX_KEY,
    ESCROW,
    GUESTS_KEY,
    POINTS_KEY,
    SENTINELS_KEY,
    keyring_of,
)

__all__ = [
    "AUDIT_KEY",
    "BOX_KEY",
    "ESCROW",
    "GUESTS_KEY",
    "POINTS_KEY",
    "SENTINELS_KEY",
    "App",
    "SilentBell",
    "keyring_of",
    "open_app",
    "open_application",
    "open_clouds",
    "open_core",
    "open_dns",
    "open_plays",
    "open_replication",
    "open_stores",
    "open_witness",
    "witness_papers",
]
