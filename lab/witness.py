"""The witness of the lab: a member of etcd at each of three places, and what cloudctl needs to ask them."""

import http.client
import json
import shutil
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lab import certificates
from lab.commands import SYSTEM_PATH
from lab.credentials import write_private
from lab.errors import LabError
from lab.layout import Layout
from lab.processes import wait_until
from lab.services import Service
from lab.sites import PORTS, THIRD, Site, plan

PACKAGES = ("etcd-server", "openssl")
SERVICE = "etcd"
_PEER_PORT = 2380
_ANSWER_S = 60
_REJOINED = "witness-rejoined"
_PLACES = (*plan(1), THIRD)


def has_member(place: Site) -> bool:
    """Whether one of the three members is there; a second city has none."""
    return place in _PLACES


def client_url(place: Site) -> str:
    """Where the member of a place is asked."""
    return f"https://{place.address}:{PORTS[SERVICE]}"


def services(layout: Layout, place: Site) -> tuple[Service, ...]:
    """The member of a place. What it has agreed to lies with the place and is lost with it."""
    if not has_member(place):
        return ()
    site, papers = layout.site(place), layout.witness
    peers = ",".join(f"{one.name}=https://{one.address}:{_PEER_PORT}" for one in _PLACES)
    files = {"cert": f"{place.name}.pem", "key": f"{place.name}.key", "trusted-ca": "ca.pem"}
    tls = [f"--{kind}{word}-file={papers / file}" for kind in ("", "peer-") for word, file in files.items()]
    state = "existing" if site.stamp(_REJOINED).exists() else "new"
    argv = (
        "etcd", f"--name={place.name}", f"--data-dir={_data(layout, place)}", *tls,
        "--client-cert-auth", "--peer-client-cert-auth", "--pre-vote",
        f"--listen-client-urls={client_url(place)}", f"--advertise-client-urls={client_url(place)}",
        f"--listen-peer-urls=https://{place.address}:{_PEER_PORT}",
        f"--initial-advertise-peer-urls=https://{place.address}:{_PEER_PORT}",
        f"--initial-cluster={peers}", f"--initial-cluster-state={state}",
        "--auto-compaction-retention=1h", "--logger=zap", "--log-level=warn",
    )  # fmt: skip
    env = {"PATH": SYSTEM_PATH, "HOME": str(site.data), "LANG": "C.UTF-8"}
    return (Service(SERVICE, "witness", argv, env),)


def create_papers(layout: Layout) -> None:
    """The authority, a certificate for each member and one for cloudctl, and witness.yaml; repeatable."""
    folder, log = layout.witness, layout.log / "setup.log"
    certificates.create_authority(folder, log)
    for place in _PLACES:
        certificates.create(folder, place.name, [place.address], log)
    certificates.create(folder, "cloudctl", [], log)
    members = "".join(f"  {place.name}: {client_url(place)}\n" for place in _PLACES)
    files = "".join(f"{word}: {folder / name}\n" for word, name in _own_files().items())
    write_private(layout.witness_yaml, f"members:\n{members}{files}")


def prepare(layout: Layout, place: Site) -> None:
    """Lets a member whose data is lost come back as a new one: the others still count on its old votes."""
    formed, data = layout.witness / f"{place.name}.formed", _data(layout, place)
    if data.exists():
        return
    if formed.exists() and any(_data(layout, other).exists() for other in _PLACES):
        _rejoin(layout, place)
        layout.site(place).stamp(_REJOINED).touch()
    formed.touch()


def wait_until_ready(layout: Layout) -> None:
    """Returns when a majority has answered; else a LabError."""
    asked = {"key": "bm9ib2R5"}
    if not wait_until(lambda: _ask_any(layout, "kv/range", asked) is not None, timeout_s=_ANSWER_S):
        raise LabError(f"no majority of the witness answers; logs: {SERVICE}.log of {_names()}")


def forget(layout: Layout) -> None:
    """Removes what is left when every place is destroyed."""
    shutil.rmtree(layout.witness, ignore_errors=True)
    layout.witness_yaml.unlink(missing_ok=True)


def _names() -> str:
    return ", ".join(place.name for place in _PLACES)


def _data(layout: Layout, place: Site) -> Path:
    return layout.site(place).data / SERVICE


def _own_files() -> dict[str, str]:
    return {"ca": "ca.pem", "cert": "cloudctl.pem", "key": "cloudctl.key"}


def _rejoin(layout: Layout, place: Site) -> None:
    """Takes the lost member off the list of the others, and puts an empty one of the same name on it."""
    listed = _ask_any(layout, "cluster/member/list", {}, but=place)
    if listed is None:
        raise LabError(f"the members at the other places do not answer, so {place.name} cannot join them")
    peer = f"https://{place.address}:{_PEER_PORT}"
    for member in listed["members"]:
        if peer in member.get("peerURLs", []):
            _ask_any(layout, "cluster/member/remove", {"ID": member["ID"]}, but=place)
    if _ask_any(layout, "cluster/member/add", {"peerURLs": [peer]}, but=place) is None:
        raise LabError(f"the other members did not take {place.name} back")


def _ask_any(layout: Layout, path: str, body: dict[str, Any], but: Site | None = None) -> Any:
    """The answer of the first member that gives one, as JSON; None when none does."""
    words = {word: str(layout.witness / name) for word, name in _own_files().items()}
    trust = ssl.create_default_context(cafile=words["ca"])
    trust.load_cert_chain(words["cert"], words["key"])
    for place in _PLACES:
        if place == but:
            continue
        line = http.client.HTTPSConnection(place.address, PORTS[SERVICE], timeout=5, context=trust)
        try:
            line.request("POST", f"/v3/{path}", json.dumps(body))
            answer = line.getresponse()
            if answer.status == HTTPStatus.OK:
                return json.load(answer)
        except (OSError, ValueError, http.client.HTTPException):
            continue
        finally:
            line.close()
    return None
