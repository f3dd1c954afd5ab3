"""The witness over etcd: its JSON gateway, so that an agent needs nothing but Python to speak to it as well.

Reads are linearizable: a member that has lost its majority does not answer them. What was in doubt (an answer
that did not come) is asked of the next member; a swap that happened all the same then ends in Conflict.
"""

import base64
import json
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any
from urllib.parse import quote, unquote

import httpx

from cloudctl.errors import Conflict, Misconfigured, WitnessUnavailable
from cloudctl.ports import Member, Observation, Register, Stopped, weakest
from provisioning.drivers.witness_file import WitnessConfig

_CONNECT_S = 1.0
Json = Mapping[str, Any]


class EtcdWitness:
    """Implements Witness and Agents. `transport` stands in for the wire in tests."""

    def __init__(self, config: WitnessConfig, transport: httpx.BaseTransport | None = None) -> None:
        self._config = config
        timeout = httpx.Timeout(config.timeout_s, connect=min(_CONNECT_S, config.timeout_s))
        verify = True if transport else _trust(config)
        self._clients = {
            name: httpx.Client(
                base_url=url, verify=verify, timeout=timeout, transport=transport, trust_env=False
            )
            for name, url in config.members.items()
        }
        self._order = list(config.members)  # who answered last is asked first
        self._lock = Lock()

    # -- Witness

    def read(self, group: str) -> Register | None:
        found = self._ask("kv/range", {"key": _b64(self._register(group))}).get("kvs", [])
        return _register(group, found[0]) if found else None

    def swap(self, before: Register | None, after: Register) -> Register:
        key = _b64(self._register(after.group))
        is_same = {
            "key": key,
            "target": "MOD",
            "result": "EQUAL",
            "mod_revision": str(before.version if before else 0),
        }
        put = {"request_put": {"key": key, "value": _b64(_text(after))}}
        answer = self._ask("kv/txn", {"compare": [is_same], "success": [put]})
        if not answer.get("succeeded"):
            raise Conflict("the register of {group} has changed since it was read", group=after.group)
        return replace(after, version=int(answer["header"]["revision"]))

    def read_stopped(self, group: str, site: str) -> Stopped | None:
        return weakest(_word(group, site, said) for _, said in self._words(group, site))

    def lease_s(self, group: str, site: str) -> float:
        return max((float(said.get("lease_s", 0)) for _, said in self._words(group, site)), default=0.0)

    def settle(self, group: str, machine: str, site: str, server: str) -> None:
        text = json.dumps({"site": site, "server": server})
        self._ask("kv/put", {"key": _b64(self._key("homes", group, machine)), "value": _b64(text)})

    def home(self, group: str, machine: str) -> tuple[str, str] | None:
        found = self._ask("kv/range", {"key": _b64(self._key("homes", group, machine))}).get("kvs", [])
        said = json.loads(_plain(found[0]["value"])) if found else None
        return (said["site"], said["server"]) if said else None

    def read_observations(self, group: str) -> list[Observation]:
        found = []
        for kv in self._below(self._key("seen", group, "")):
            said = json.loads(_plain(kv["value"]))
            found.append(Observation(**{**said, "group": group}))
        return sorted(found, key=lambda one: (one.place, one.site, one.what))

    def members(self) -> list[Member]:
        with ThreadPoolExecutor(len(self._clients)) as pool:
            return list(pool.map(self._member, self._config.members))

    # -- Agents

    def enrol(self, group: str, site: str, server: str, lease_s: float = 0) -> None:
        key = _b64(self._key("agents", group, site, server))
        found = self._ask("kv/range", {"key": key}).get("kvs", [])
        said = json.loads(_plain(found[0]["value"])) if found else {}
        if found and float(said.get("lease_s", 0)) >= lease_s:
            return
        revision = found[0]["mod_revision"] if found else "0"  # its word may have come meanwhile
        is_same = {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision}
        put = {"request_put": {"key": key, "value": _b64(json.dumps({**said, "lease_s": lease_s}))}}
        self._ask("kv/txn", {"compare": [is_same], "success": [put]})

    def say_stopped(self, word: Stopped, server: str, lease_s: float = 0) -> None:
        key = self._key("agents", word.group, word.site, server)
        said = {"epoch": word.epoch, "at": word.at, "seen": word.seen, "lease_s": lease_s}
        text = json.dumps(said)
        self._ask("kv/put", {"key": _b64(key), "value": _b64(text)})

    def dismiss(self, group: str, site: str, server: str) -> None:
        self._ask("kv/deleterange", {"key": _b64(self._key("agents", group, site, server))})

    def servers(self, group: str, site: str) -> list[str]:
        return sorted(server for server, _ in self._words(group, site))

    def observe(self, seen: Observation, keep_s: int) -> None:
        lease = self._ask("lease/grant", {"TTL": str(keep_s)})["ID"]
        key = self._key("seen", seen.group, seen.place, seen.site, seen.what)
        text = json.dumps({name: value for name, value in vars(seen).items() if name != "group"})
        self._ask("kv/put", {"key": _b64(key), "value": _b64(text), "lease": lease})

    # -- the pieces

    def _register(self, group: str) -> str:
        return self._key("register", group)

    def _key(self, *words: str) -> str:
        return self._config.prefix + "/".join(quote(word, safe="") for word in words)

    def _below(self, start: str) -> list[Json]:
        """Every key that begins so, in their order."""
        end = start[:-1] + chr(ord(start[-1]) + 1)
        found: list[Json] = self._ask("kv/range", {"key": _b64(start), "range_end": _b64(end)}).get("kvs", [])
        return found

    def _words(self, group: str, site: str) -> list[tuple[str, Json]]:
        found = []
        for kv in self._below(self._key("agents", group, site, "")):
            said = json.loads(_plain(kv["value"]))
            server = unquote(_plain(kv["key"]).rsplit("/", 1)[1])
            found.append((server, said))
        return found

    def _ask(self, path: str, body: Json) -> Any:
        """The answer of the first member that gives one. WitnessUnavailable names what each of them said."""
        said = []
        for name in list(self._order):
            try:
                answer = self._clients[name].post(f"/v3/{path}", json=body)
                if answer.status_code == httpx.codes.OK:
                    self._prefer(name)
                    return answer.json()
                said.append(f"{name}: {_why(answer)}")
            except (httpx.HTTPError, ValueError) as error:
                said.append(f"{name}: {str(error) or type(error).__name__}")
        raise WitnessUnavailable("no majority of the witness answers ({said})", said="; ".join(said))

    def _prefer(self, name: str) -> None:
        with self._lock:
            if self._order[0] != name:
                self._order = [name, *(one for one in self._order if one != name)]

    def _member(self, name: str) -> Member:
        url = self._config.members[name]
        try:
            answer = self._clients[name].post("/v3/maintenance/status", json={})
            if answer.status_code != httpx.codes.OK:
                return Member(name, url, False, detail=_why(answer))
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return Member(name, url, False, detail=str(error) or type(error).__name__)
        if said.get("leader", "0") == "0":
            return Member(name, url, False, detail="has no leader")
        is_leader = said["leader"] == said["header"]["member_id"]
        return Member(name, url, True, is_leader, said["version"])


def _trust(config: WitnessConfig) -> ssl.SSLContext:
    """Members signed by the authority of the file, and by no other; ours for the members that ask for it."""
    try:
        context = ssl.create_default_context(cafile=str(config.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(config.cert, config.key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured("the certificate for the witness cannot be used: {error}", error=error) from error
    return context


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("error") or answer.status_code)
    except ValueError:
        return str(answer.status_code)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()


def _word(group: str, site: str, said: Json) -> Stopped | None:
    """An agent's word, of which newer agents may say more; None: it has only enrolled."""
    if "epoch" not in said:
        return None
    return Stopped(group, site, said["epoch"], said["at"], said["seen"])


def _text(register: Register) -> str:
    kept = {name: value for name, value in vars(register).items() if name not in ("group", "version")}
    return json.dumps(kept)


def _register(group: str, kv: Json) -> Register:
    return Register(group, **json.loads(_plain(kv["value"])), version=int(kv["mod_revision"]))
