"""REST API v1: one module per noun; each view reads the input, asks one use case, shows the answer."""

from web.api.audit import blueprint as audit
from web.api.health import blueprint as health
from web.api.notices import blueprint as notices
from web.api.people import blueprint as people
from web.api.tokens import blueprint as tokens

BLUEPRINTS = (people, tokens, notices, audit, health)
