"""What the events of a run of Ansible tell: from ansible-runner's dictionaries to a PlayResult. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudctl.ports import Ending, Host, HostResult, OnTask, PlayResult

_OUTCOMES = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}
_ENDINGS = {
    "successful": Ending.DONE,
    "failed": Ending.FAILED,
    "timeout": Ending.TIMED_OUT,
    "canceled": Ending.STOPPED,
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 500  # characters of a message


class Collector:
    """Takes the events of one run as they come; the result at its end."""

    def __init__(self, hosts: tuple[Host, ...], on_task: OnTask) -> None:
        self._found = {host.name: HostResult() for host in hosts}
        self._on_task = on_task
        self._error = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """One event; those that say nothing about tasks are passed over."""
        kind, data = event.get("event", ""), event.get("event_data") or {}
        if kind == "playbook_on_stats":
            self._take_counts(data)
        elif kind in _OUTCOMES:
            self._take_task(_OUTCOMES[kind], data)
        elif "ERROR" in (said := _COLOURS.sub("", str(event.get("stdout", "")))):
            self._error = self._error or said.strip()

    def result(self, status: str, seconds: float) -> PlayResult:
        """What it came to; `status` is ansible-runner's word."""
        ending = _ENDINGS.get(status, Ending.FAILED)
        is_explained = any(not host.is_fine for host in self._found.values())
        why = "" if ending is Ending.DONE or is_explained else _shortened(self._error)
        return PlayResult(ending, dict(self._found), why, seconds)

    def _take_task(self, outcome: str, data: Mapping[str, Any]) -> None:
        name, task, answer = data.get("host", ""), str(data.get("task", "")), data.get("res") or {}
        if name not in self._found:
            return
        there = self._found[name]
        if outcome == "ok":
            outcome = "changed" if answer.get("changed") else "ok"
        elif outcome == "unreachable":
            message = _message(answer)
            self._found[name] = replace(there, is_reached=False, task=task, message=message)
        elif not data.get("ignore_errors"):
            self._found[name] = replace(there, failed=there.failed + 1, task=task, message=_message(answer))
        self._on_task(name, task, outcome)

    def _take_counts(self, data: Mapping[str, Any]) -> None:
        told = (data.get("artifact_data") or {}).get("told") or {}
        for name, there in self._found.items():
            self._found[name] = replace(
                there,
                ok=_count(data, "ok", name),
                changed=_count(data, "changed", name),
                failed=_count(data, "failures", name),
                is_reached=not _count(data, "dark", name),
                told=told.get(name) or {},
            )


def _count(data: Mapping[str, Any], key: str, name: str) -> int:
    return int((data.get(key) or {}).get(name, 0))


def _message(answer: Mapping[str, Any]) -> str:
    """What a task said when it failed: of a loop, what its first failed turn said."""
    turns = [one for one in answer.get("results") or () if isinstance(one, Mapping) and one.get("failed")]
    if turns:
        return _message(turns[0])
    for key in ("msg", "stderr", "module_stderr", "stdout", "module_stdout"):
        said = str(answer.get(key) or "").strip()
        if said:
            return _shortened(said)
    return ""


def _shortened(text: str) -> str:
    """As much of a message as a person reads; its end says more than its beginning."""
    text = " ".join(_COLOURS.sub("", text).split())
    return text if len(text) <= LONGEST else "…" + text[-LONGEST:]
