"""The plain portal: server-rendered pages that work without a script; each view asks one use case."""

from web.pages import account, ask, audit, home, quota, request_list, request_page, resources, session

BLUEPRINTS = tuple(
    noun.blueprint
    for noun in (session, account, home, ask, request_list, request_page, resources, quota, audit)
)
