"""Deterministic names, ids and tags: what lets a second worker find what the first one made. Pure.

Names are unique at a site because they carry the request's number; the installation is in the tags only,
so that a name stays short enough for a host name.
"""

import hashlib
import uuid
from collections.abc import Mapping

from cloudctl.ports import TAG_INSTALLATION, TAG_REQUEST, TAG_RESOURCE, TAG_SYSTEM

_NAMESPACE = uuid.UUID("5f0e6f0a-3c1d-5b0e-9a57-6f6a3f1f2c11")


def stem(system_id: str, request_id: int) -> str:
    """What the names of all things of one request begin with."""
    return f"{system_id}-r{request_id}"


def server(system_id: str, request_id: int, number: int) -> str:
    """The nth server of a request; numbers begin with 1."""
    return f"{stem(system_id, request_id)}-vm{number}"


def boot_volume(server_name: str) -> str:
    return f"{server_name}-boot"


def data_volume(owner: str, number: int) -> str:
    """The nth data volume of a server, or of a request that asks for volumes alone."""
    return f"{owner}-data{number}"


def port(server_name: str) -> str:
    return f"{server_name}-port"


def projects(name: str, installation: str) -> tuple[str, str]:
    """The name of a project, and the one it gets where somebody else's has that name already."""
    return name, f"{name}-{hashlib.sha256(installation.encode()).hexdigest()[:6]}"


def security_group(zone: str) -> str:
    return f"cloudctl-{zone}"


def key_pair(public_key: str) -> str:
    """Named from the key itself: the same key gives the same pair, whoever asks first."""
    return "cloudctl-" + hashlib.sha256(_bare_key(public_key).encode()).hexdigest()[:12]


def _bare_key(public_key: str) -> str:
    """Type and key without the comment."""
    return " ".join(public_key.split()[:2])


def resource_id(installation: str, site_id: str, kind: str, name: str) -> str:
    """The id of a resource's row and its tag at the cloud; the same in every run."""
    return uuid.uuid5(_NAMESPACE, "/".join((installation, site_id, kind, name))).hex


def tags(installation: str, system_id: str, request_id: int, resource: str | None = None) -> dict[str, str]:
    """What is written on everything made."""
    marks = {
        TAG_INSTALLATION: installation,
        TAG_SYSTEM: system_id,
        TAG_REQUEST: str(request_id),
    }
    return {**marks, TAG_RESOURCE: resource} if resource else marks


def labels(marks: Mapping[str, str]) -> frozenset[str]:
    """The same where a cloud has words instead of pairs (projects): `key=value`."""
    return frozenset(f"{key}={value}" for key, value in marks.items())


def is_of(found: Mapping[str, str], installation: str, request_id: int) -> bool:
    """Whether a thing with these tags was made by this installation for this request."""
    return found.get(TAG_INSTALLATION) == installation and found.get(TAG_REQUEST) == str(request_id)
