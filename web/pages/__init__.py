"""The plain portal: server-rendered pages that work without a script; each view asks one use case."""

from web.pages.account import blueprint as account
from web.pages.ask import blueprint as ask
from web.pages.audit import blueprint as audit
from web.pages.home import blueprint as home
from web.pages.quota import blueprint as quota
from web.pages.request_list import blueprint as request_list
from web.pages.request_page import blueprint as request_page
from web.pages.resources import blueprint as resources
from web.pages.session import blueprint as session

BLUEPRINTS = (session, account, home, ask, request_list, request_page, resources, quota, audit)
