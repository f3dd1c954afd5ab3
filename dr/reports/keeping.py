"""What people do with reports: list them, look at one, take it home as a file, and check a file."""

from collections.abc import Callable
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.queries import dr_reports as reads
from cloudctl.queries.dr_reports import Kept
from cloudctl.texts import LANGUAGES
from dr.keyring import Keyring
from dr.reports import page, sealing
from dr.reports.finishing import ACTION

Json = dict[str, Any]
HTML, PDF, JSON = "html", "pdf", "json"
FORMATS = (HTML, PDF, JSON)
MEDIA_TYPES = {HTML: "text/html; charset=utf-8", PDF: "application/pdf", JSON: "application/json"}
INTACT, BROKEN = "intact", "broken"
_SHOWN = (
    "kind",
    "number",
    "move",
    "by",
    "reason",
    "begun_at",
    "ended_at",
    "verdict",
    "why",
    "rpo_s",
    "rto_s",
    "rpo_by",
    "left_behind",
)


def list_reports(
    core: Core, actor: Actor, plan: str | None = None, limit: int = reads.PAGE, marker: str | None = None
) -> list[Json]:
    """The reports of plans that the actor sees, the newest first, after the report `marker`."""
    with core.store.read() as uow:
        return [_row(one) for one in reads.list_reports(uow, actor, plan, limit, marker)]


def show_report(core: Core, actor: Actor, key: str) -> Json:
    """One report, whole, with its hash and signature. NotFound."""
    with core.store.read() as uow:
        kept = reads.find_report(uow, actor, key)
    return {**kept.document, **_row(kept), "signature": kept.signature}


def open_file(
    core: Core,
    actor: Actor,
    key: str,
    form: str = PDF,
    language: str = page.CHINESE,
    to_pdf: Callable[[str], bytes] | None = None,
) -> tuple[str, str, bytes]:
    """Name, media type and content of the report as a file. The JSON and the page can be checked later.

    BadInput for an unknown format or language. Misconfigured where no PDF can be made.
    """
    faults = [
        Fault(place, "unknown_word", "'{given}' is none of: {choices}",
              {"given": given[:60], "choices": ", ".join(choices)})
        for place, given, choices in (("format", form, FORMATS), ("language", language, LANGUAGES))
        if given not in choices
    ]  # fmt: skip
    if faults:
        raise BadInput("the input has faults", faults=faults)
    with core.store.read() as uow:
        kept = reads.find_report(uow, actor, key)
    if form == JSON:
        content = sealing.text_of(kept.sealed).encode()
    else:
        html = page.render(kept.sealed, language)
        content = (to_pdf or _printed)(html) if form == PDF else html.encode()
    return page.file_name(kept.document, form), MEDIA_TYPES[form], content


def verify(core: Core, actor: Actor, keyring: Keyring, content: bytes) -> Json:
    """What is wrong with the file of a report: its hash, its signature, and whether it is on record here.

    BadInput when there is no report in it. Needs dr.see anywhere: the file was shown by whoever has it.
    """
    actor.must("dr.see", actor.scopes("dr.see"))
    sealed = sealing.loaded(content)
    if sealed is None:
        hint = "give the JSON or the HTML that `cloudctl dr report get` has saved"
        raise BadInput("there is no report in this file", hint=hint)
    document = sealed["report"]
    kind, number = str(document.get("kind", "")), str(document.get("number", ""))
    digest = sealing.sha256_of(document)
    with core.store.read() as uow:
        is_known = reads.is_in_chain(uow, ACTION, kind, number, digest)
    faults = sealing.faults_of(sealed, keyring.trusted())
    if not is_known:
        template = "the audit chain of this installation has no report with this hash"
        faults.append(Fault("sha256", "not_in_chain", template))
    return {
        "id": f"{kind}-{number}",
        "name": str((document.get("plan") or {}).get("name", "")) or None,
        "state": BROKEN if faults else INTACT,
        "sha256": digest,
        "signer": document.get("signer"),
        "verdict": document.get("verdict"),
        "rpo_s": document.get("rpo_s"),
        "rto_s": document.get("rto_s"),
        "is_in_audit_chain": is_known,
        "faults": faults,
    }


def _row(kept: Kept) -> Json:
    document = kept.document
    return {
        "id": kept.id,
        "name": document["plan"]["name"],
        "state": document["verdict"],
        "system": document["system"]["id"],
        "system_name": document["system"]["name"],
        "site": document["target"]["id"],
        **{key: document[key] for key in _SHOWN},
        "sha256": kept.sha256,
    }


def _printed(html: str) -> bytes:
    from tenants.bulletin.printing import to_pdf  # noqa: PLC0415  # rarely needed

    return to_pdf(html)
