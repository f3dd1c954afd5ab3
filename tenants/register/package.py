"""A look into a workbook before a library unpacks it: how large it would become, and what it must not hold.

An .xlsx is a zip of XML. Sizes that it declares may be lies, so each part is unpacked here, counted, and
dropped when it goes too far. The XML is searched as bytes and never parsed: nothing in it can be expanded.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from cloudctl.errors import BadInput, Fault
from tenants.register.sheet import MOST_COLUMNS, MOST_ROWS, column_letters

MIB = 2**20
MOST_UNPACKED_MIB = 256
MOST_PARTS = 2000
_LOCAL_HEADER = 30
_PROLOG = 65536  # what comes before the cells
_NAMED = 10  # cells told in a fault
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\b\w+:id=[\"']([^\"']*)[\"']")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(rb"\b(Id|Target)=[\"']([^\"']*)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3}\d+)[\"'][^>]*>")
_FORMULA = re.compile(rb"<(?:\w+:)?f(?=[\s/>])")
_ERROR = re.compile(rb"\bt=[\"']e[\"']")
_FAR = re.compile(
    rb"r\s*=\s*[\"'](?:([A-Za-z]{3}|[G-Zg-z][A-Za-z])\d|([A-Za-z]{0,2})0*([1-9]\d{5,})[\"'])[^>]*>"
)
# A cell that is written otherwise than all programs write it, or lies further out than most sheets go.
_UNUSUAL = re.compile(rb'<c(?! r="[A-F]?[A-Z]\d{1,5}"|ol)')
_END_OF_CELL, _END_OF_ROW = re.compile(rb"</(?:\w+:)?c>"), re.compile(rb"</(?:\w+:)?row>")
_VALUE = re.compile(rb"[<:](?:v|is|f)[\s/>]")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True)
class Look:
    """What was found in one sheet: cells with formulas, cells with errors, and whether it has any."""

    formulas: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    has_cells: bool = False


def is_zip(content: bytes) -> bool:
    """Whether the bytes begin as a zip does."""
    return content.startswith(b"PK\x03\x04")


def is_old_workbook(content: bytes) -> bool:
    """Whether the bytes begin as an .xls does, or as any encrypted workbook."""
    return content.startswith(_OLE)


def is_encrypted(content: bytes) -> bool:
    """Whether an old container holds an encrypted workbook."""
    return is_old_workbook(content) and _ENCRYPTED in content


def look_into(content: bytes) -> list[Look]:
    """What the sheets of an .xlsx hold, in the order of the workbook. BadInput for what is no workbook."""
    parts = _Parts(content)
    looks = [_look(parts.read(name), name in parts.unusual) for name in parts.sheets()]
    parts.read_rest()
    return looks


class _Parts:
    """The parts of the zip, unpacked one at a time within one allowance."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = MOST_UNPACKED_MIB * MIB
        self._seen: set[str] = set()
        self.unusual: set[str] = set()
        try:
            with ZipFile(BytesIO(content)) as archive:
                entries = archive.infolist()
        except (BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise _refusal("not_a_workbook", "it is no workbook, or it is broken") from error
        self._entries = {entry.filename: entry for entry in entries}
        if "xl/workbook.xml" not in self._entries or len(self._entries) != len(entries):
            raise _refusal("not_a_workbook", "it is no workbook, or it is broken")
        if len(entries) > MOST_PARTS:
            raise _too_large()
        if any(entry.flag_bits & 1 for entry in entries):
            raise encrypted()

    def sheets(self) -> list[str]:
        """The names of the parts that hold the sheets, in the order of the workbook."""
        targets = {}
        for relation in _RELATION.findall(self.read("xl/_rels/workbook.xml.rels")):
            named = {
                key: unescape(value.decode("utf-8", "replace")) for key, value in _ATTRIBUTE.findall(relation)
            }
            target = named.get(b"Target", "")
            targets[named.get(b"Id", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        ids = [
            unescape(one.decode("utf-8", "replace")) for one in _SHEET.findall(self.read("xl/workbook.xml"))
        ]
        return [targets.get(one, "") for one in ids]

    def read(self, name: str) -> bytes:
        """The part, empty when there is none of that name."""
        entry = self._entries.get(name)
        if entry is None:
            return b""
        self._seen.add(name)
        return self._unpack(entry)

    def read_rest(self) -> None:
        """Look at every part that was not read: what a library takes for a sheet is its own affair."""
        for name in self._entries.keys() - self._seen:
            self.read(name)

    def _unpack(self, entry: ZipInfo) -> bytes:
        start = entry.header_offset
        header = self._content[start : start + _LOCAL_HEADER]
        name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        begin = start + _LOCAL_HEADER + name + extra
        packed = self._content[begin : begin + entry.compress_size]
        if entry.compress_type == ZIP_STORED:
            body = packed
        elif entry.compress_type == ZIP_DEFLATED:
            try:
                body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self._left + 1)
            except zlib.error as error:
                raise _refusal("not_a_workbook", "it is no workbook, or it is broken") from error
        else:
            raise _refusal("not_a_workbook", "it is no workbook, or it is broken")
        self._left -= len(body)
        if self._left < 0:
            raise _too_large()
        if entry.filename.endswith((".xml", ".rels")):
            if body.find(b"<!DOCTYPE", 0, _PROLOG) != -1 or b"\0" in body:
                raise _refusal("not_a_workbook", "it holds XML that no workbook needs")
            if _is_unusual(body):
                self.unusual.add(entry.filename)
                _check_far(body)
        return body


def _look(body: bytes, is_unusual: bool) -> Look:
    end = max(body.rfind(b"sheetData>"), 0)
    has_formulas = is_unusual or body.find(b"<f", 0, end) != -1
    has_errors = is_unusual or body.find(b't="e"', 0, end) != -1
    return Look(
        tuple(_cells_of(_FORMULA, body, end)) if has_formulas else (),
        tuple(_cells_of(_ERROR, body, end)) if has_errors else (),
        _VALUE.search(body, 0, end) is not None,
    )


def _is_unusual(body: bytes) -> bool:
    """Whether a sheet has cells far out, or is written otherwise than all programs write it."""
    return b"sheetData" in body and (_has_prefix(body) or _UNUSUAL.search(body) is not None)


def _has_prefix(body: bytes) -> bool:
    """Whether the elements have a prefix: <x:c> where others write <c>."""
    return body.find(b":sheetData", 0, _PROLOG) != -1


def _cells_of(what: re.Pattern[bytes], data: bytes, end: int) -> list[str]:
    """The addresses of the first cells in which something stands."""
    found: list[str] = []
    for hit in what.finditer(data, 0, end):
        begin = max(data.rfind(b"<c ", 0, hit.end()), data.rfind(b":c ", 0, hit.end()) - 10, 0)
        cells = list(_CELL.finditer(data, begin, data.find(b">", hit.start()) + 1))
        found.append(cells[-1][1].decode() if cells else "?")
        if len(found) == _NAMED:
            break
    return found


def _check_far(data: bytes) -> None:
    """BadInput for a cell so far out that a library would fill the memory with the cells before it."""
    for hit in _FAR.finditer(data):
        letters, row = hit[1], hit[3]
        if not _holds_something(data, hit.end(), is_row=hit[2] == b""):
            continue  # only a format: no library keeps it
        if letters is not None and not _is_within(letters.decode().upper()):
            template = "has cells beyond column {last}; at most {most} columns are read"
            params = {"last": column_letters(MOST_COLUMNS - 1), "most": MOST_COLUMNS}
            raise _refusal("too_many_columns", template, params)
        if row is not None and int(row) > MOST_ROWS + 1:
            raise too_many_rows()


def _holds_something(data: bytes, begin: int, is_row: bool) -> bool:
    """Whether the cell or the row that begins just before has a value in it."""
    if data[begin - 2 : begin - 1] == b"/":
        return False
    end = (_END_OF_ROW if is_row else _END_OF_CELL).search(data, begin)
    return _VALUE.search(data, begin, end.start() if end else len(data)) is not None


def _is_within(letters: str) -> bool:
    return len(letters) < 3 and letters <= column_letters(MOST_COLUMNS - 1)


def _refusal(
    code: str, template: str, params: dict[str, object] | None = None, hint: str | None = None
) -> BadInput:
    return BadInput("the file cannot be imported", faults=[Fault("file", code, template, params or {}, hint)])


def encrypted() -> BadInput:
    """The refusal of a workbook with a password."""
    hint = "take the password off and send it again"
    return _refusal("encrypted", "the workbook is locked with a password", hint=hint)


def too_many_rows() -> BadInput:
    """The refusal of a sheet that nobody could look through."""
    template = "has more than {most} rows"
    return _refusal("too_many_rows", template, {"most": MOST_ROWS}, "split it into several files")


def _too_large() -> BadInput:
    template = "unpacks to more than {most} MiB"
    return _refusal("zip_bomb", template, {"most": MOST_UNPACKED_MIB})


def told(cells: Sequence[str]) -> str:
    """The addresses as a fault names them: the first few, and that there are more."""
    return "、".join(cells) + ("…" if len(cells) == _NAMED else "")
