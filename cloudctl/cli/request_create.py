"""`cloudctl request create vm|volume|project|backup|release`: from options to the form the API takes."""

import argparse
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.cli import exits, following
from cloudctl.cli.commands import Args, Showing
from cloudctl.cli.exits import Complaint
from cloudctl.cli.request_words import for_people

if TYPE_CHECKING:
    from cloudctl.cli.client import Client, Json

ENVIRONMENTS = ("prod", "test", "dev")
TIERS = ("T1", "T2", "T3", "T4")


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """The options of every command that can wait for a request."""
    parser.add_argument("--wait", action="store_true", help="wait until the request has ended")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")


class Submitting(Showing):
    """Sends a form as a request; `--dry-run` asks for the decision only."""

    def form(self, args: Args) -> "Json":
        """The form as the API takes it."""
        raise NotImplementedError

    def for_people(self, row: "Json") -> "Json":
        return for_people(row)

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--reason", help="what it is for")
        parser.add_argument("--approval-number", metavar="TEXT", help="the project approval (立项批文)")
        parser.add_argument("--payer", metavar="TEXT", help="who pays")
        parser.add_argument("--dry-run", action="store_true", help="show the decision, submit nothing")
        parser.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="submitting again with the same key answers the first request (default: a new key)",
        )
        add_waiting(parser)

    def one(self, args: Args) -> "Json":
        form = {**self.form(args), "reason": args.reason, "payer": args.payer}
        form["approval_number"] = args.approval_number
        form = {key: value for key, value in form.items() if value is not None}
        if args.dry_run:
            return self.previewed(form)
        key = args.idempotency_key or uuid.uuid4().hex
        made = self.client.post("/requests", form, {"Idempotency-Key": key})
        return self.waited(args, made)

    def previewed(self, form: "Json") -> "Json":
        """The decision; the exit code is that of submitting it."""
        decision = self.client.post("/requests/preview", form)
        if decision["verdict"] == "refused":
            self.exit_code = exits.REFUSED
        return decision

    def waited(self, args: Args, request: "Json") -> "Json":
        """The request as it is, or as it ended when asked to wait; the exit code goes with it."""
        if not args.wait:
            return request
        with following.reporter(self.app.stderr) as report:
            ended = following.follow(self.client, request["id"], report, args.timeout)
        self.exit_code = following.exit_code(ended)
        return ended


def add_place(parser: argparse.ArgumentParser, system_needed: bool = True) -> None:
    """For which system, and where."""
    parser.add_argument(
        "--system", metavar="CODE|NAME", required=system_needed, help="the information system"
    )
    parser.add_argument("--environment", choices=ENVIRONMENTS, default="prod", help="default: prod")
    parser.add_argument(
        "--site", metavar="SITE", help="default: the first that serves the department's division"
    )


def place(client: "Client", args: Args) -> "Json":
    """The part of a form that says for which system, and where."""
    return {
        "system": client.id_of("/systems", args.system),
        "environment": args.environment,
        "site": client.id_of("/sites", args.site),
    }


class Vm(Submitting):
    """Ask for virtual machines, with their volumes."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_place(parser)
        parser.add_argument("--zone", choices=("public", "dedicated", "internet"), required=True)
        parser.add_argument("--count", type=int, default=1, metavar="N", help="how many (default: 1)")
        parser.add_argument("--flavor", required=True)
        parser.add_argument("--image", required=True)
        parser.add_argument("--boot-size", metavar="SIZE", help="40GiB, for example")
        parser.add_argument("--volume-type", metavar="TYPE", help="of all its volumes")
        parser.add_argument(
            "--data-volume", metavar="SIZE", action="append", help="a data volume on each VM; may be repeated"
        )
        parser.add_argument("--data-total", metavar="SIZE", help="1TiB in all, spread over the VMs")
        parser.add_argument("--data-volumes-per-vm", type=int, metavar="N", help="with --data-total")
        parser.add_argument("--ssh-key", metavar="FILE", required=True, help="the public key to log in with")
        super().options(parser)

    def form(self, args: Args) -> "Json":
        return {
            "kind": "vm",
            **place(self.client, args),
            "zone": args.zone,
            "count": args.count,
            "flavor": args.flavor,
            "image": args.image,
            "boot_size": args.boot_size,
            "volume_type": args.volume_type,
            "data_volumes": args.data_volume,
            "data_total": args.data_total,
            "data_volumes_per_vm": args.data_volumes_per_vm,
            "ssh_key": public_key(args.ssh_key),
        }


class Volume(Submitting):
    """Ask for volumes, attached to a server or free."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_place(parser, system_needed=False)
        parser.add_argument("--size", metavar="SIZE", action="append", required=True, help="may be repeated")
        parser.add_argument("--volume-type", metavar="TYPE")
        parser.add_argument("--attach-to", metavar="SERVER", help="id or name of one of the system's servers")
        super().options(parser)

    def form(self, args: Args) -> "Json":
        return {
            "kind": "volume",
            **place(self.client, args),
            "volumes": args.size,
            "volume_type": args.volume_type,
            "attach_to": self.client.id_of("/resources", args.attach_to),
        }


class Project(Submitting):
    """Ask for a project on a cloud, empty."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_place(parser)
        super().options(parser)

    def form(self, args: Args) -> "Json":
        return {"kind": "project", **place(self.client, args)}


class Backup(Submitting):
    """Ask for a system to be backed up, with all its volumes at a cloud."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        add_place(parser)
        parser.add_argument(
            "--tier", choices=TIERS, required=True, help="T2: data offsite, T4: active-active"
        )
        super().options(parser)

    def form(self, args: Args) -> "Json":
        return {"kind": "backup", **place(self.client, args), "tier": args.tier}


def public_key(file: str) -> str:
    """The content of a public key file. A Complaint when it is a private one."""
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Complaint("bad_input", f"the key cannot be read: {error}") from error
    if "PRIVATE KEY" in text:
        raise Complaint("bad_input", f"{file} is a private key; keep it, and give {file}.pub")
    return text
