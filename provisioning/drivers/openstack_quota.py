"""Quotas of an OpenStack cloud: our kinds in the words of Nova, Cinder and Neutron, pushed and read back."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import CloudctlError, CloudRejected
from cloudctl.ports import NO_LIMIT
from provisioning.drivers.openstack_http import Caller, Json
from provisioning.drivers.openstack_listing import SiteFacts

T = TypeVar("T")

NOVA: Final = {Kind.INSTANCES: "instances", Kind.VCPUS: "cores", Kind.RAM_MIB: "ram"}
CINDER: Final = {Kind.VOLUMES: "volumes", Kind.VOLUME_GIB: "gigabytes"}
NEUTRON: Final = {Kind.PORTS: "port"}
_WORDS: Final[Mapping[str, Mapping[Kind, str]]] = {
    "compute": NOVA,
    "block-storage": CINDER,
    "network": NEUTRON,
}
# What nobody asks for through a request stays at nothing; our security groups have to fit.
# Nova counts key pairs by user over all projects, and all of ours belong to cloudctl's one user: its
# usual 100 would end with "Quota exceeded, too many key pairs." after as many requests.
_NOVA_OPEN: Final = {"key_pairs": -1}
_CINDER_CLOSED: Final = {"snapshots": 0, "backups": 0, "backup_gigabytes": 0}
_NEUTRON_FIXED: Final = {
    "security_group": 10, "security_group_rule": 200,
    "network": 0, "subnet": 0, "router": 0, "floatingip": 0,
}  # fmt: skip
_UNLIMITED = -1


def get(call: Caller, project_id: str) -> Amounts:
    """The limits now; NO_LIMIT for a kind without one."""
    rows = together(*(partial(_show, call, service, project_id) for service in _WORDS))
    words = zip(_WORDS.values(), rows, strict=True)
    return Amounts({kind: _limit(row[word]) for by_kind, row in words for kind, word in by_kind.items()})


def together(*calls: Callable[[], T]) -> list[T]:
    """Make the calls side by side (each waits for its own slot); their answers in order.

    All are made whatever becomes of one; then the first error, in order, is raised.
    """
    with ThreadPoolExecutor(len(calls), thread_name_prefix="quota") as pool:
        asked = [pool.submit(one) for one in calls]
    return [one.result() for one in asked]


def _limit(n: int) -> int:
    return NO_LIMIT if n == _UNLIMITED else n


def _show(call: Caller, service: str, project_id: str) -> Json:
    path = f"/quotas/{project_id}" if service == "network" else f"/os-quota-sets/{project_id}"
    answer = call.get(service, path, f"show the quota of project {project_id}")
    return dict(answer["quota" if service == "network" else "quota_set"])


def usage(call: Caller, project_id: str) -> Amounts:
    """What the cloud counts as used, what is being made included."""
    what = f"show the usage of project {project_id}"
    nova, cinder, neutron = together(
        lambda: call.get("compute", f"/os-quota-sets/{project_id}/detail", what)["quota_set"],
        lambda: call.get("block-storage", f"/os-quota-sets/{project_id}", what, {"usage": "True"})[
            "quota_set"
        ],
        lambda: call.get("network", f"/quotas/{project_id}/details.json", what)["quota"],
    )
    used = {kind: _in_use(nova[word]) for kind, word in NOVA.items()}
    used.update({kind: _in_use(cinder[word]) for kind, word in CINDER.items()})
    used.update({kind: _in_use(neutron[word]) for kind, word in NEUTRON.items()})
    return Amounts(used)


def _in_use(row: Json) -> int:
    return int(row["in_use"] if "in_use" in row else row.get("used") or 0) + int(row.get("reserved") or 0)


def push(call: Caller, facts: SiteFacts, project_id: str, limits: Amounts) -> None:
    """Set every kind and check in the answers that it took. CloudRejected when a service did not keep it.

    A limit below what is used blocks growth and nothing else: Nova and Neutron take it when told to,
    Cinder does not ("limit must be equal or greater than existing resources") and gets what is used.
    """
    what = f"set the quota of project {project_id}"
    nova, cinder, neutron = (
        {word: limits[kind] for kind, word in words.items()} for words in (NOVA, CINDER, NEUTRON)
    )
    together(
        lambda: _push_nova(call, project_id, nova, what),
        lambda: _push_cinder(call, project_id, cinder, what),
        lambda: _push_neutron(call, facts, project_id, neutron, what),
    )


def _push_nova(call: Caller, project_id: str, wanted: dict[str, int], what: str) -> None:
    body = {"quota_set": {**wanted, **_NOVA_OPEN, "force": True}}
    answer = call.put("compute", f"/os-quota-sets/{project_id}", what, body)
    _kept(call, "compute", wanted, answer["quota_set"])


def _push_cinder(call: Caller, project_id: str, wanted: dict[str, int], what: str) -> None:
    path = f"/os-quota-sets/{project_id}"
    closed = {**wanted, **_CINDER_CLOSED}
    try:
        answer = call.put("block-storage", path, what, {"quota_set": closed})
    except CloudRejected as error:
        if error.params.get("status") != 400:
            raise
        used = call.get("block-storage", path, what, {"usage": "True"})["quota_set"]
        closed = {word: max(limit, _in_use(used.get(word, {}))) for word, limit in closed.items()}
        wanted = {word: closed[word] for word in wanted}
        answer = call.put("block-storage", path, what, {"quota_set": closed})
    _kept(call, "block-storage", wanted, answer["quota_set"])


def _push_neutron(call: Caller, facts: SiteFacts, project_id: str, wanted: dict[str, int], what: str) -> None:
    known = facts.quota_words()
    body = {**wanted, **{word: limit for word, limit in _NEUTRON_FIXED.items() if word in known}}
    try:
        answer = call.put("network", f"/quotas/{project_id}", what, {"quota": body})
    except CloudRejected as error:
        # 400 "Quota limit 0 for port must be greater than or equal to already used 2": newer Neutrons
        # check unless forced, older ones neither check nor know the word.
        if error.params.get("status") != 400:
            raise
        answer = call.put("network", f"/quotas/{project_id}", what, {"quota": {**body, "force": True}})
    _kept(call, "network", wanted, answer["quota"])


def _kept(call: Caller, service: str, wanted: Mapping[str, int], answer: Json) -> None:
    lost = {word: answer.get(word) for word, limit in wanted.items() if answer.get(word) != limit}
    if lost:  # seen with unified limits: the call succeeds, and Keystone's limits go on holding
        raise CloudRejected(
            "{site}: {service} took the quota and did not keep it: {lost}",
            hint="does the cloud use unified limits? They are not supported",
            site=call.site,
            service=service,
            lost=", ".join(f"{word}={value}" for word, value in lost.items()),
        )


def zero_defaults(call: Caller, facts: SiteFacts) -> list[str]:
    """Set the class `default` of Nova and Cinder to zero; Neutron's defaults are told in words."""
    problems: list[str] = []
    for service, words in (("compute", NOVA), ("block-storage", CINDER)):
        wanted = dict.fromkeys(words.values(), 0) | (_CINDER_CLOSED if service != "compute" else {})
        try:
            path = "/os-quota-class-sets/default"
            call.put(service, path, "set its default quotas to zero", {"quota_class_set": wanted})
        except CloudctlError as error:
            problems.append(error.text())
    return problems + [
        f"network: the default of {word} is {limit}; only its own configuration can change that:"
        f" [quotas] quota_{word} = 0 in neutron.conf"
        for word, limit in _neutron_defaults(call, facts).items()
        if limit != 0
    ]


def defaults(call: Caller, facts: SiteFacts) -> dict[str, int]:
    """The default quotas of the site for what we count, by `service:word`; -1 is no limit."""
    found: dict[str, int] = {}
    for service, words in (("compute", NOVA), ("block-storage", CINDER)):
        row = call.get(service, "/os-quota-class-sets/default", "show its default quotas")["quota_class_set"]
        found.update({f"{service}:{word}": int(row[word]) for word in words.values() if word in row})
    found.update({f"network:{word}": limit for word, limit in _neutron_defaults(call, facts).items()})
    return found


def _neutron_defaults(call: Caller, facts: SiteFacts) -> dict[str, int]:
    path = f"/quotas/{call.project_id or 'default'}/default"
    row = call.get("network", path, "show its default quotas")["quota"]
    watched = {"port", "network", "subnet", "router", "floatingip"} & facts.quota_words()
    return {word: int(row[word]) for word in sorted(watched)}
