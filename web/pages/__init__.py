"""The plain portal: server-rendered pages that work without a script; each view asks one use case."""

from web.pages.account import blueprint as account
from web.pages.audit import blueprint as audit
from web.pages.home import blueprint as home
from web.pages.session import blueprint as session

BLUEPRINTS = (session, account, home, audit)
