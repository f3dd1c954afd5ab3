"""A report as a file that can be checked: the document, its hash, the signature, and who signed. Pure.

What is signed is the hash together with the purpose, so that no other signature of the same key fits.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.errors import Fault
from cloudctl.escrow import is_signed
from dr.points.fields import canonical
from dr.points.head import Signs
from dr.reports.assembling import FORMAT

Json = dict[str, Any]
MOST_BYTES = 4 << 20
_IN_PAGE = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)


def sha256_of(document: Mapping[str, Any]) -> str:
    """Of the document in canonical form."""
    return hashlib.sha256(canonical(document)).hexdigest()


def seal(document: Mapping[str, Any], signer: Signs) -> Json:
    """The file. Who signs stands in the report, so that the signature covers it."""
    whole = {**document, "signer": signer.public}
    digest = sha256_of(whole)
    return {"report": whole, "sha256": digest, "signature": signer.sign(_words(digest))}


def text_of(sealed: Mapping[str, Any]) -> str:
    """The file as it is saved: JSON that shows Chinese as it is written."""
    return json.dumps(sealed, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def loaded(content: bytes) -> Json | None:
    """The sealed report in a JSON file or in a page; None where there is none."""
    try:
        text = content.decode("utf-8")
        found = _IN_PAGE.search(text)
        row = json.loads(found[1] if found else text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("report"), dict) else None


def faults_of(sealed: Mapping[str, Any], trusted: Sequence[str]) -> list[Fault]:
    """Everything that is wrong with a sealed report; `trusted`: public keys, in hex, that are believed."""
    faults = []
    document = sealed["report"]
    if document.get("format") != FORMAT:
        template = "'{given}' is no format of a report"
        faults.append(
            Fault("report.format", "unknown", template, {"given": str(document.get("format"))[:60]})
        )
    digest = sha256_of(document)
    if sealed.get("sha256") != digest:
        faults.append(Fault("sha256", "changed", "the report was changed after it was hashed"))
    signer, signature = str(document.get("signer", "")), str(sealed.get("signature", ""))
    if signer not in trusted:
        faults.append(
            Fault("report.signer", "unknown_signer", "it is signed by a key that is not trusted here")
        )
    if not is_signed(_words(digest), signature, signer):
        faults.append(Fault("signature", "bad_signature", "the signature does not fit the report"))
    return faults


def _words(digest: str) -> bytes:
    return f"{FORMAT}\n{digest}".encode()
