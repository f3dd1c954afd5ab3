"""REST API v1: one module per noun; each view reads the input, asks one use case, shows the answer."""

from web.api import (
    audit,
    health,
    notices,
    operations,
    people,
    quota,
    requests,
    resources,
    sign_in,
    sites,
    tokens,
    topology,
)

BLUEPRINTS = tuple(
    noun.blueprint
    for noun in (
        people, sign_in, tokens, topology, sites, requests, resources,
        operations, quota, notices, audit, health,
    )
)  # fmt: skip
