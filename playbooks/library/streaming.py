#!/usr/bin/python3
"""Ansible module: PostgreSQL's own streaming replication between two servers, in any number of repetitions.

Whatever supervises PostgreSQL may start it again at any moment: nothing here leaves a data directory in its
place that would come up as a second primary.
"""

from __future__ import annotations

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.postgresql_cluster import (
    KEPT,
    SIGNAL,
    SLOT,
    Cluster,
    Failure,
    admit,
    enable,
    find,
    follow,
    settle,
    source,
)

DOCUMENTATION = """
module: streaming
short_description: PostgreSQL streaming replication between two servers
options:
  state:
    type: str
    required: true
    choices: [primary, standby, promoted, rewound, demoted, regained, observed]
    description: >-
      primary: prepared for a standby. standby: follows the peer, from a copy where it has never followed it.
      promoted: writes. rewound: was primary, follows the peer again, with what only it had thrown away.
      demoted: was primary, writes no more, and its standby can have all of it. regained: was demoted, writes
      again. observed: nothing changes.
  peer: {type: str, description: "Address of the other server."}
  peer_port: {type: int, default: 5432}
  listen: {type: str, description: "Address on which the other server reaches this one."}
  password: {type: str, no_log: true, description: "Of the role that replicates."}
  sslmode: {type: str, default: prefer}
  keep_mib: {type: int, default: 1024, description: "What a standby that is away may hold back at most."}
  anew: {type: bool, default: false, description: "A standby from a new copy, whatever is there."}
  keep: {type: str, description: "The same once: what was there is kept beside, under this word."}
  data: {type: path, description: "The data directory; found by itself where there is one only."}
  timeout_s: {type: int, default: 600}
"""

BEFORE = ".cloudctl-before"


def prepare(cluster: Cluster, params: dict) -> dict:
    """A primary that a standby can follow and be rewound to; a restart where a setting needs one."""
    if cluster.is_standby():
        raise Failure("it is a standby: promote it first")
    wanted = {
        "wal_level": "replica",
        "wal_log_hints": "on",
        "max_slot_wal_keep_size": f"{params['keep_mib']}MB",
        "listen_addresses": listened(cluster, params["listen"]),
    }
    if cluster.value("SHOW wal_level") == "logical":
        del wanted["wal_level"]  # more than is needed
    changed, waits = settle(cluster, wanted)
    if waits:
        cluster.stop()
        cluster.start()
    is_new = enable(cluster, params["password"])
    is_admitted = admit(cluster, params["peer"])
    return {"changed": changed or is_new or is_admitted, "was_restarted": waits}


def listened(cluster: Cluster, address: str) -> str:
    """The addresses it listens on now, and this one."""
    there = cluster.value("SHOW listen_addresses")
    words = [one.strip() for one in there.split(",") if one.strip()]
    return there if "*" in words or address in words else ",".join([*words, address])


def stand_by(cluster: Cluster, params: dict) -> dict:
    """A standby of the peer: as it is where it follows already, else from a copy of everything.

    With `keep` from a new copy, unless something was kept under that word before: then that was done.
    """
    conninfo = source(cluster, params)
    kept = cluster.data + KEPT + params["keep"] if params["keep"] else ""
    is_anew = params["anew"] or bool(kept and not os.path.exists(kept))
    if os.path.exists(cluster.data) and not is_anew:
        if cluster.pid() is None:
            cluster.start()
        if cluster.is_standby():
            return {"changed": refollow(cluster, params, conninfo)}
        if cluster.identity() == cluster.peers_identity(conninfo):
            raise Failure("it was a primary of the same data: rewind it, or say `anew`")
    if not os.path.exists(os.path.join(cluster.fresh, SIGNAL)):
        shutil.rmtree(cluster.fresh, ignore_errors=True)
        os.mkdir(cluster.fresh, 0o700)  # its owner makes nothing where what is above is root's
        os.chown(cluster.fresh, cluster.owner.pw_uid, cluster.owner.pw_gid)
        cluster.run("pg_basebackup", "-D", cluster.fresh, "-d", conninfo, "-X", "stream", "-S", SLOT,
                    "-c", "fast")  # fmt: skip
        cluster.keep_options(cluster.fresh)
        follow(cluster.fresh, cluster.owner, conninfo, params["listen"])
    if os.path.exists(cluster.data):
        if not kept:
            shutil.rmtree(cluster.data + BEFORE, ignore_errors=True)
        cluster.take_away(kept or cluster.data + BEFORE)
    os.rename(cluster.fresh, cluster.data)
    cluster.start()
    cluster.wait_until("the stream to begin", lambda: cluster.told()["is_streaming"])
    return {"changed": True}


def refollow(cluster: Cluster, params: dict, conninfo: str) -> bool:
    """The same standby after another peer, where it is another; whether it was."""
    if cluster.value("SHOW primary_conninfo") == conninfo:
        return False
    follow(cluster.data, cluster.owner, conninfo, params["listen"])
    cluster.ask("SELECT pg_reload_conf()")
    return True


def rewind(cluster: Cluster, params: dict) -> dict:
    """What was primary follows the peer again; what only it had is thrown away, as the caller decided."""
    conninfo = source(cluster, params)
    if os.path.exists(cluster.data):
        if cluster.pid() is not None and cluster.is_standby() and cluster.told()["is_streaming"]:
            return {"changed": refollow(cluster, params, conninfo)}
        follow(cluster.data, cluster.owner, conninfo, params["listen"])  # starts as a standby from now on
        cluster.take_away(cluster.moved)
    signal = os.path.join(cluster.moved, SIGNAL)
    if os.path.exists(signal):
        os.unlink(signal)  # pg_rewind may have to recover it in single-user mode, which refuses a standby
    cluster.keep_options(cluster.moved)
    said = cluster.run("pg_rewind", "-D", cluster.moved, f"--source-server={conninfo}")
    follow(cluster.moved, cluster.owner, conninfo, params["listen"])
    os.rename(cluster.moved, cluster.data)
    cluster.start()
    cluster.wait_until("the stream to begin", lambda: cluster.told()["is_streaming"])
    return {"changed": True, "said": said.strip()[-300:]}


def promote(cluster: Cluster, params: dict) -> dict:
    """It writes; whoever asks has the proof that nobody else does.

    One that is promoted already may be kept from running, until somebody lets the writers of its site run.
    """
    if cluster.pid() is None and not cluster.has_signal():
        return {"changed": False}
    if cluster.pid() is None:
        cluster.start()
    if not cluster.is_standby():
        return {"changed": False}
    if cluster.value(f"SELECT pg_promote(true, {int(params['timeout_s'])})") != "t":
        raise Failure(f"it was not promoted within {params['timeout_s']} s")
    return {"changed": True}


def demote(cluster: Cluster, params: dict) -> dict:
    """What was primary writes no more, however it is started, and follows the peer when that writes.

    It ends in order, so that its standby gets all of it. One that did not is started as a standby itself: it
    recovers, and hands on what the other one lacks.
    """
    conninfo = source(cluster, params)
    if not os.path.exists(cluster.data):
        raise Failure("its directory is being rewound")
    is_new = not cluster.has_signal()
    is_primary = cluster.pid() is not None and not cluster.is_standby()
    if is_new:
        follow(cluster.data, cluster.owner, conninfo)
    if is_primary:
        cluster.stop()
        cluster.start()
    elif cluster.pid() is None and not cluster.ended()["is_clean"]:
        cluster.start()
    return {"changed": is_new or is_primary}


def regain(cluster: Cluster, params: dict) -> dict:
    """What was demoted is a primary again; whoever asks knows that its peer was never promoted."""
    if not cluster.has_signal():
        return {"changed": False}
    if cluster.pid() is None and cluster.ended()["state"] == "shut down":
        os.unlink(os.path.join(cluster.data, SIGNAL))  # nothing has run on it since: it starts as it was
        if cluster.pid() is None:
            return {"changed": True}
    promote(cluster, params)
    return {"changed": True}


STATES = {"primary": prepare, "standby": stand_by, "promoted": promote, "rewound": rewind, "demoted": demote,
          "regained": regain}  # fmt: skip
NEEDED = ("peer", "listen", "password")


def main() -> None:
    """What Ansible calls."""
    module = AnsibleModule(
        argument_spec={
            "state": {"required": True, "choices": [*STATES, "observed"]},
            "peer": {},
            "peer_port": {"type": "int", "default": 5432},
            "listen": {},
            "password": {"no_log": True},
            "sslmode": {"default": "prefer"},
            "keep_mib": {"type": "int", "default": 1024},
            "anew": {"type": "bool", "default": False},
            "keep": {"default": ""},
            "data": {"type": "path"},
            "timeout_s": {"type": "int", "default": 600},
        },
        required_if=[
            *(("state", state, NEEDED) for state in ("primary", "standby", "rewound")),
            ("state", "demoted", ("peer", "password")),
        ],
        supports_check_mode=True,
    )
    try:
        cluster = Cluster(find(module.params["data"]), module.params["timeout_s"])
        act = STATES.get(module.params["state"])
        if act is None or module.check_mode:
            result = {"changed": False}
        else:
            result = act(cluster, module.params)
        module.exit_json(**result, told=cluster.told() if cluster.pid() else cluster.ended())
    except Failure as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
