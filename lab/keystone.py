"""Keystone's keys and first administrator, and the catalogue and accounts of a site."""

import base64
import hashlib
import json
import os
from typing import Any

import openstack

from lab.commands import run
from lab.credentials import SERVICE_USERS, SiteCredentials, write_private
from lab.layout import Layout, SiteLayout
from lab.services import environment
from lab.sites import Site

_CATALOGUE = (
    ("compute", "nova", "nova-api", "/v2.1"),
    ("image", "glance", "glance", ""),
    ("placement", "placement", "placement", ""),
    ("network", "neutron", "neutron-api", ""),
    ("block-storage", "cinder", "cinder-api", "/v3"),
    ("object-store", "swift", "radosgw", "/swift/v1/AUTH_%(project_id)s"),
    ("s3", "s3", "radosgw", ""),
)


def create_keys(site: SiteLayout) -> None:
    """Makes the keys of tokens and credentials, each once: 32 random bytes, as keystone-manage does."""
    for name in ("fernet", "credential"):
        repository = site.data / "keystone" / name
        repository.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in ("0", "1"):
            if not (repository / number).exists():
                write_private(repository / number, base64.urlsafe_b64encode(os.urandom(32)).decode())


def bootstrap(layout: Layout, plan: Site, secret: SiteCredentials) -> None:
    """Makes the administrator and Keystone's own catalogue entry, once; needs the database only."""
    site = layout.site(plan)
    stamp = site.stamp("bootstrap")
    if stamp.exists():
        return
    run(
        [str(layout.venv / "bin" / "keystone-manage"), "--config-file", f"{site.etc}/keystone.conf",
         "bootstrap",
         "--bootstrap-region-id", plan.region,
         *(part for interface in ("public", "internal", "admin")
           for part in (f"--bootstrap-{interface}-url", plan.auth_url))],
        log=site.setup_log, namespace=plan.namespace,
        env=environment(layout, site) | {"OS_BOOTSTRAP_PASSWORD": secret.passwords["admin"]},
    )  # fmt: skip
    stamp.touch()


def register(layout: Layout, plan: Site, secret: SiteCredentials) -> None:
    """Makes the service accounts and the catalogue, once; finds what an earlier try has made."""
    stamp = layout.site(plan).stamp("register")
    if stamp.exists():
        return
    with connection(plan, secret) as cloud:
        identity: Any = cloud.identity
        project = identity.find_project("service") or identity.create_project(
            name="service", domain_id="default"
        )
        roles = {
            name: identity.find_role(name, ignore_missing=False) for name in ("admin", "service", "member")
        }
        known = {user.name: user for user in identity.users(domain_id="default")}
        for name in SERVICE_USERS:
            user = known.get(name) or identity.create_user(
                name=name, password=secret.passwords[name], domain_id="default", default_project_id=project.id
            )
            for role in ("member",) if name == "backup" else ("admin", "service"):
                identity.assign_project_role_to_user(project, user, roles[role])
            if name == "backup":
                _add_s3_key(identity, user.id, project.id, secret)
        _fill_catalogue(identity, plan)
    stamp.touch()


def connection(plan: Site, secret: SiteCredentials) -> openstack.connection.Connection:
    """The site as its administrator sees it; takes nothing from files or the caller's environment."""
    return openstack.connect(
        load_yaml_config=False, load_envvars=False,
        auth={
            "auth_url": plan.auth_url, "username": "admin", "password": secret.passwords["admin"],
            "project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default",
        },
        region_name=plan.region, identity_api_version="3", api_timeout=60,
    )  # fmt: skip


def _add_s3_key(identity: Any, user_id: str, project_id: str, secret: SiteCredentials) -> None:
    """Gives the backup account the S3 key that stands in the configuration of the site's cinder-backup."""
    credential_id = hashlib.sha256(secret.backup_access.encode()).hexdigest()
    if identity.find_credential(credential_id) is None:
        blob = json.dumps({"access": secret.backup_access, "secret": secret.backup_secret})
        identity.create_credential(type="ec2", user_id=user_id, project_id=project_id, blob=blob)


def _fill_catalogue(identity: Any, plan: Site) -> None:
    services = {service.type: service for service in identity.services()}
    endpoints = {(endpoint.service_id, endpoint.interface) for endpoint in identity.endpoints()}
    for kind, name, api, path in _CATALOGUE:
        service = services.get(kind) or identity.create_service(type=kind, name=name)
        for interface in ("public", "internal", "admin"):
            if (service.id, interface) not in endpoints:
                identity.create_endpoint(
                    service_id=service.id, interface=interface, url=plan.url(api, path), region_id=plan.region
                )
