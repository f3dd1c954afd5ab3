"""REST API v1: one module per noun; each view reads the input, asks one use case, shows the answer."""

from web.api.audit import blueprint as audit
from web.api.health import blueprint as health
from web.api.notices import blueprint as notices
from web.api.people import blueprint as people
from web.api.quota import blueprint as quota
from web.api.requests import blueprint as requests
from web.api.resources import blueprint as resources
from web.api.sign_in import blueprint as sign_in
from web.api.sites import blueprint as sites
from web.api.tokens import blueprint as tokens
from web.api.topology import blueprint as topology

BLUEPRINTS = (people, sign_in, tokens, topology, sites, requests, resources, quota, notices, audit, health)
