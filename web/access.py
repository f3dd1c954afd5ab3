"""Which right each endpoint asks for: one table, so that a forgotten row is a failing test, never a hole.

A right here opens the door when it is held anywhere; the use case behind it checks where exactly.
"""

from collections.abc import Mapping

PUBLIC = "public"
SIGNED_IN = "signed-in"

ACCESS: Mapping[str, str] = {
    # the application itself
    "static": PUBLIC,
    "openapi.spec": PUBLIC,
    "health.live": PUBLIC,
    "health.ready": PUBLIC,
    # people
    "people.me": SIGNED_IN,
    "people.list_users": "user.see",
    "people.show_user": "user.see",
    "people.create_user": "user.change",
    "people.disable_user": "user.change",
    "people.enable_user": "user.change",
    "people.set_password": "user.change",
    "people.grant_role": "user.change",
    "people.revoke_role": "user.change",
    "sign_in.sign_in": PUBLIC,
    "tokens.list_tokens": SIGNED_IN,
    "tokens.create_token": SIGNED_IN,
    "tokens.revoke_token": SIGNED_IN,
    # requests
    "requests.preview": "request.create",
    "requests.submit": "request.create",
    "requests.list_requests": "request.see",
    "requests.show": "request.see",
    "requests.inbox": "request.see",
    "requests.approve": "request.see",  # whoever decides also sees; the stage says who decides
    "requests.send_back": "request.see",
    "requests.reject": "request.see",
    "requests.withdraw": "request.create",
    "requests.cancel": "request.cancel",
    "requests.resubmit": "request.create",
    # sites
    "sites.list_sites": "site.see",
    "sites.show_site": "site.see",
    "sites.check_site": "site.sync",
    "sites.sync_site": "site.sync",
    "sites.connect_site": "site.connect",
    "sites.adopt_project": "resource.adopt",
    # operations and resources
    "operations.list_operations": "operation.see",
    "operations.show_operation": "operation.see",
    "operations.retry": "operation.retry",
    "operations.abandon": "operation.retry",
    "resources.list_resources": "resource.see",
    "resources.show_resource": "resource.see",
    # quota
    "quota.list_rows": "quota.see",
    "quota.set_limit": "quota.set",
    "quota.explain": "quota.see",
    "quota.drift": "quota.repair",
    "quota.repair": "quota.repair",
    # topology and registers
    "topology.show": "topology.see",
    "topology.plan": "topology.apply",
    "topology.apply": "topology.apply",
    "topology.list_divisions": "department.see",
    "topology.list_departments": "department.see",
    "topology.show_department": "department.see",
    "topology.list_systems": "department.see",
    "topology.show_system": "department.see",
    "topology.list_projects": "department.see",
    "topology.list_catalogue": "department.see",
    # notices and audit
    "notices.list_notices": SIGNED_IN,
    "notices.read_notice": SIGNED_IN,
    "audit.list_events": "audit.see",
    "audit.verify": "audit.see",
    # pages
    "session.sign_in_form": PUBLIC,
    "session.sign_in": PUBLIC,
    "session.sign_out": SIGNED_IN,
    "session.set_language": PUBLIC,
    "account.password_form": SIGNED_IN,
    "account.change_password": SIGNED_IN,
    "account.show_account": SIGNED_IN,
    "account.create_token": SIGNED_IN,
    "account.revoke_token": SIGNED_IN,
    "home.show": SIGNED_IN,
    "home.list_notices": SIGNED_IN,
    "home.read_notice": SIGNED_IN,
    "ask.form": "request.create",
    "ask.send": "request.create",
    "ask.correct": "request.create",
    "ask.send_again": "request.create",
    "request_list.show": "request.see",
    "request_list.inbox": "request.see",
    "request_page.show": "request.see",
    "request_page.approve": "request.see",
    "request_page.send_back": "request.see",
    "request_page.reject": "request.see",
    "request_page.withdraw": "request.create",
    "request_page.cancel": "request.cancel",
    "resource_pages.show": "resource.see",
    "quota_pages.show": "quota.see",
    "audit_pages.list_events": "audit.see",
}
