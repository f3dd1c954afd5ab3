"""`cloudctl migration gate`: whether a system relies on the government cloud, certified or checked."""

import argparse
from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudctl.cli import exits
from cloudctl.cli.commands import Args, Showing

if TYPE_CHECKING:
    from cloudctl.cli.client import Json

_CERTIFIED = (
    "id", "number", "system", "system_name", "owner_name", "verdict", "state", "reasons", "issued_at",
    "valid_until",
)  # fmt: skip


class Gate(Showing):
    """Certify whether a system relies on the government cloud; exit code 3 when it does not."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("system", metavar="SYSTEM", help="code or name")
        parser.add_argument("--dry-run", action="store_true", help="only say the verdict, issue nothing")

    def one(self, args: Args) -> "Json":
        path = f"/systems/{quote(args.system, safe='')}/gate"
        found = self.client.get(path) if args.dry_run else self.client.post(path)
        if found["verdict"] == "does_not_rely":
            self.exit_code = exits.REFUSED
        return found

    def for_people(self, row: "Json") -> "Json":
        shown = {key: row[key] for key in _CERTIFIED if row.get(key) is not None}
        if "reasons" in shown:
            shown["reasons"] = "\n".join(one["message"] for one in row["reasons"])
        return shown


class Certificate(Gate):
    """Check a certificate by its code; exit code 4 when nobody has issued it, 3 when it has expired."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE")

    def one(self, args: Args) -> "Json":
        found = self.anonymous.get(f"/gate/{quote(args.code, safe='')}")
        codes = {"unknown": exits.NOT_FOUND, "expired": exits.REFUSED}
        self.exit_code = codes.get(found["state"], exits.DONE)
        return found
