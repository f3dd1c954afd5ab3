"""Zones at their masters by RFC 2136, signed with TSIG: BIND, PowerDNS, Knot and whatever else keeps to it.

Everything goes over TCP to the master itself: what is read is what it has, and an answer that it did not sign
counts for nothing. An update whose answer was lost may have been done: whoever asked reads.
"""

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from cloudctl.errors import CloudctlError, Conflict, NameServiceRefused, NameServiceUnavailable
from cloudctl.ports import RecordSet
from cloudctl.ports.dns import LUA
from provisioning.drivers.dns_file import Master, read_masters

_LUA_TYPE = dns.rdatatype.RdataType.make(65402)  # of private use, as PowerDNS has it
_LUA = re.compile(r'(A|AAAA) "(?P<script>[ -!#-\[\]-~]+)"')  # of one string, without anything to escape
_MOST_STRING, _MOST_SCRIPT = 255, 4000
_CHANGED = {dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET}
_PASSING = {dns.rcode.SERVFAIL}


class Rfc2136Dns:
    """Implements Dns over the masters of dns.yaml; the file is read again when it was changed."""

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._stamp: tuple[object, ...] = ()
        self._masters: tuple[Master, ...] = ()

    def gives_shares(self, name: str) -> bool:
        return self._master_of(name).gives_shares

    def read(self, name: str, kind: str) -> RecordSet | None:
        if kind == LUA:
            raise NameServiceRefused("the name service does not tell records of type {type}", type=kind)
        master = self._master_of(name)
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        answer = self._ask(master, query)
        rcode = answer.rcode()
        if rcode == dns.rcode.NXDOMAIN:
            return None
        if rcode != dns.rcode.NOERROR:
            raise _refusal(rcode, name)
        if not answer.flags & dns.flags.AA:
            raise NameServiceRefused("{server} is no master of {name}", server=master.server, name=name)
        found = answer.get_rrset(
            answer.answer, dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(kind)
        )
        if found is None:
            return None
        return RecordSet(name, kind, int(found.ttl), tuple(sorted(one.to_text() for one in found)))

    def replace(self, before: Sequence[RecordSet], after: Sequence[RecordSet]) -> None:
        names = {one.name for one in (*before, *after)}
        masters = {self._master_of(name) for name in names}
        if len(masters) != 1:
            raise NameServiceRefused("the names are not of one zone")
        [master] = masters
        update = dns.update.UpdateMessage(master.zone)
        known = {(one.name, one.type) for one in before}
        for one in before:
            update.present(one.name, *_records(one))
        for one in after:
            if (one.name, one.type) not in known:
                update.absent(one.name, _type(one.type))
        for name in sorted(names):
            update.absent(name, dns.rdatatype.CNAME)
        for one in () if set(before) == set(after) else before:
            update.delete(one.name, _type(one.type))
        for one in () if set(before) == set(after) else after:
            update.add(one.name, one.ttl_s, *_records(one))
        rcode = self._ask(master, update).rcode()
        if rcode in _CHANGED:
            raise Conflict("the name service does not have what was read of {name} any more",
                           name=sorted(names)[0])  # fmt: skip
        if rcode != dns.rcode.NOERROR:
            raise _refusal(rcode, sorted(names)[0])

    def _ask(self, master: Master, message: dns.message.Message) -> dns.message.Message:
        """The master's signed answer."""
        key = dns.tsig.Key(master.key_name, master.secret, master.algorithm)
        message.use_tsig(key)
        try:
            answer = dns.query.tcp(message, master.server, timeout=self._timeout_s, port=master.port)
        except (dns.exception.Timeout, OSError, EOFError, dns.query.BadResponse) as error:
            raise NameServiceUnavailable(
                "the name server {server} does not answer: {error}",
                server=f"{master.server} port {master.port}", error=str(error) or type(error).__name__,
            ) from error  # fmt: skip
        except dns.exception.DNSException as error:  # not signed, or not by this key
            raise NameServiceRefused(
                "the name server {server} does not accept the key {key}: {error}",
                server=f"{master.server} port {master.port}", key=master.key_name, error=str(error),
            ) from error  # fmt: skip
        return answer

    def _master_of(self, name: str) -> Master:
        """The master of the innermost zone that holds the name."""
        stat = self._path.stat() if self._path.exists() else None
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else ()
        if stamp != self._stamp or not stamp:
            self._masters, self._stamp = read_masters(self._path), stamp
        lower = name.lower()
        held = [one for one in self._masters if lower == one.zone or lower.endswith(f".{one.zone}")]
        if not held:
            raise NameServiceRefused("no zone of the configuration holds {name}", name=name)
        return max(held, key=lambda one: len(one.zone))


def _records(one: RecordSet) -> list[dns.rdata.Rdata]:
    if one.type == LUA:
        return [_lua(value) for value in one.values]
    kind = dns.rdatatype.from_text(one.type)
    return [dns.rdata.from_text(dns.rdataclass.IN, kind, value) for value in one.values]


def _lua(value: str) -> dns.rdata.Rdata:
    """The type it stands for, then the script as character-strings, cut after commas.

    PowerDNS puts a space between them, or none: after a comma it makes no difference.
    """
    found = _LUA.fullmatch(value)
    if found is None or len(found["script"]) > _MOST_SCRIPT:
        raise NameServiceRefused("a record of type LUA cannot be written: {value}", value=value[:80])
    pieces = [""]
    for word in re.findall(r"[^,]*,|[^,]+", found["script"]):
        if len(pieces[-1]) + len(word) > _MOST_STRING:
            pieces.append("")
        pieces[-1] += word
    wire = struct.pack("!H", dns.rdatatype.from_text(found[1]))
    wire += b"".join(bytes([len(one)]) + one.encode() for one in pieces)
    return dns.rdata.GenericRdata(dns.rdataclass.IN, _LUA_TYPE, wire)


def _type(kind: str) -> dns.rdatatype.RdataType:
    return _LUA_TYPE if kind == LUA else dns.rdatatype.from_text(kind)


def _refusal(rcode: dns.rcode.Rcode, name: str) -> CloudctlError:
    text = dns.rcode.to_text(rcode)
    if rcode in _PASSING:
        return NameServiceUnavailable("the name server failed at {name}: {rcode}", name=name, rcode=text)
    return NameServiceRefused("the name server refuses {name}: {rcode}", name=name, rcode=text)
