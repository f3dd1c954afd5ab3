"""The page of the measurements: what was compared, where, when, and every call that was counted."""

from datetime import datetime
from typing import Any, Protocol

BAR = 1.15


class Measured(Protocol):
    """What the page needs of a bench."""

    sizes: list[int]
    rounds: int
    results: dict[tuple[str, int], list[dict[str, Any]]]
    failures: list[str]

    def median(self, column: str, size: int) -> float | None: ...


def write(
    bench: Measured, memory: tuple[float, float], machine: str, at: datetime, compared: str | None
) -> str:
    """The page as Markdown."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"`make bench`, {at:%Y-%m-%d %H:%M} UTC, on {machine}, against the lab's `province`.",
            "",
            "From the last approval to delivered, in a project that did not exist: domain, project,",
            "access, quotas pushed and read back, security group with its rules, key; for each VM a port,",
            "a boot volume from an image and two data volumes, booted with all of them. 8 calls at a time,",
            "a look each second. Medians of the rounds below, taken in turns.",
            "Beside `bench/bare_openstack.py`, which records nothing, survives nothing and undoes nothing,",
            f"and {compared or 'without Ansible'} with `bench/ansible/build.yml`.",
            "",
            "| VMs | bare script, s | calls | cloudctl, s | calls | ratio | Ansible, s |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            *(_row(bench, size) for size in bench.sizes),
            "",
            f"The bar is {BAR} times the bare script, and less than Ansible.",
            "",
            "Every round, in seconds:",
            "",
            *(
                f"- {column}, {size} VMs: " + ", ".join(str(result["seconds"]) for result in results)
                for (column, size), results in sorted(bench.results.items())
            ),
            *(f"- failed: {failure.splitlines()[0]}" for failure in bench.failures),
            "",
            f"`cloudctl serve`: {memory[0]} MiB at rest, {memory[1]} MiB after all of the above (PSS).",
            "",
            *_calls(bench),
            "",
        ]
    )


def _row(bench: Measured, size: int) -> str:
    bare, ours, ansible = (bench.median(column, size) for column in ("bare", "cloudctl", "ansible"))
    ratio = f"{ours / bare:.2f}" if ours and bare else "-"
    cells = (
        size, bare, _count(bench, "bare", size), ours, _count(bench, "cloudctl", size), ratio, ansible or "-",
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _count(bench: Measured, column: str, size: int) -> int | str:
    found = sorted(result["total_calls"] for result in bench.results.get((column, size), []))
    return found[len(found) // 2] if found else "-"


def _calls(bench: Measured) -> list[str]:
    """The calls of one round of the smallest size, side by side."""
    size = bench.sizes[0]
    bare, ours = (
        bench.results.get((column, size), [{}])[-1].get("calls", {}) for column in ("bare", "cloudctl")
    )
    rows = [f"| {call} | {bare.get(call, 0)} | {ours.get(call, 0)} |" for call in sorted({*bare, *ours})]
    return [
        f"Calls for {size} VM, the last round:",
        "",
        "| call | bare | cloudctl |",
        "|---|---:|---:|",
        *rows,
    ]
