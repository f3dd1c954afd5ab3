"""The chapters about the register and the rates: what counts as moved, and what does not."""

from datetime import datetime, timedelta, timezone

from telling import HOME, StoryError, able_to_print, approve, ask, chapter, key, run, say, submit

BEIJING = timezone(timedelta(hours=8))
SYSTEM = "gx-finance-budget"  # says it has moved; chapter 5 builds its machines
SMALL = "gx-finance-assets"  # says so too; its machine is built and taken away again here
RATE = tuple(
    part
    for name in ("scope", "name", "numerator", "denominator", "rate", "verified", "verified_rate", "target")
    for part in ("-c", name)
)
RANK = tuple(
    part
    for name in ("rank", "name", "numerator", "denominator", "rate", "target", "state", "still_to_move")
    for part in ("-c", name)
)


def register() -> None:
    """Import the register of the whole region; the first figures."""
    chapter(4, "The register of systems, and what is on the cloud", "系统台账与上云率")
    run("cloudctl", "migration", "rule", "apply", "examples/rules/demo-0d.yaml", "--use", user="wang")
    run("cloudctl", "target", "apply", "examples/targets.yaml", user="wang")
    run("cloudctl", "system", "import", "examples/guangxi-systems.xlsx", "--dry-run", user="wang")
    run("cloudctl", "system", "import", "examples/guangxi-systems.xlsx", user="wang")
    say("Reported is what the register says; verified is what really runs on a registered cloud:")
    run("cloudctl", "migration", "rate", *RATE, user="wang")
    run("cloudctl", "migration", "ranking", *RANK, user="wang")
    run("cloudctl", "migration", "rate", "--scope", "division:450000", "-f", "json", user="wang")


def evidence() -> None:
    """The verified rate follows the machines: up when they run, down when somebody deletes them."""
    chapter(8, "The verified rate follows the machines", "核实上云率随资源而动")
    expect("yes", SYSTEM)
    run("cloudctl", "migration", "evidence", SYSTEM, user="wang")
    if not (HOME / "story" / "evidence.told").exists():
        _build_and_delete()
        (HOME / "story" / "evidence.told").touch()
    run("cloudctl", "migration", "rate", *RATE, user="wang")


def _build_and_delete() -> None:
    form = (
        "--system", SMALL, "--zone", "dedicated", "--flavor", "gov.small", "--image", "debian-12",
        "--boot-size", "20GiB", "--ssh-key", key("alice"), "--approval-number", "桂发改投资〔2026〕91号",
        "--payer", "财政厅", "--reason", "国有资产管理系统上云",
    )  # fmt: skip
    number = submit(
        "cloudctl", "request", "create", "vm", *form, "--idempotency-key", "story-assets", user="alice"
    )
    approve(number, ("bob", "同意"), ("carol", "同意"))
    run("cloudctl", "request", "watch", str(number), user="alice", show=False)
    run("cloudctl", "site", "sync", "province", "-c", "id", "-c", "state", user="carol")
    expect("yes", SMALL)
    run("cloudctl", "migration", "rate", "--scope", "department:gx-finance", *RATE, user="wang")
    say("Somebody deletes the machine past cloudctl:")
    shown = ask("cloudctl", "request", "show", str(number), user="alice")
    server = next(row["external_id"] for row in shown["resources"] if row["kind"] == "server")
    run("openstack", "--os-cloud", "province", "server", "delete", "--wait", server)
    run("cloudctl", "site", "sync", "province", "-c", "id", "-c", "state", user="carol")
    expect("no", SMALL)
    run("cloudctl", "migration", "rate", "--scope", "department:gx-finance", *RATE, user="wang")


def expect(verified: str, system: str) -> None:
    """Look at the site and hold the evidence of a system against what it must be."""
    run("cloudctl", "site", "sync", "province", user="carol", show=False)
    found = ask("cloudctl", "migration", "evidence", system, user="wang")
    is_now = found[0]["verified"] if isinstance(found, list) else found["verified"]
    if is_now != verified:
        raise StoryError(f"{system} should be verified {verified}, and is {is_now}: {found}")


def bulletin() -> None:
    """Freeze the month; the bulletin of the region as PDF and XLSX; the certificate of a system."""
    chapter(9, "The month is frozen, and the bulletin printed", "月度快照与通报")
    able_to_print()
    out = HOME / "story" / "bulletins"
    month = datetime.now(BEIJING).strftime("%Y-%m")
    if not (HOME / "story" / "month.frozen").exists():
        run("cloudctl", "migration", "snapshot", "take", month, user="wang")
        (HOME / "story" / "month.frozen").touch()
    run("cloudctl", "migration", "snapshot", "verify", user="wang")
    run("cloudctl", "migration", "report", "--month", month, "--out", str(out), user="wang")
    say("Does a system rely on the government cloud? The answer for whoever decides about its money:")
    run("cloudctl", "migration", "gate", SYSTEM, user="wang")
