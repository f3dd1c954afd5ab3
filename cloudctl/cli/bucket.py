"""What `cloudctl backup restore` and `backup policy apply` say of departments' buckets."""

from typing import TYPE_CHECKING

from cloudctl.cli.commands import Args
from cloudctl.cli.exits import bad_usage

if TYPE_CHECKING:
    import argparse

    from cloudctl.cli.client import Client, Json


def add_restoring(parser: "argparse.ArgumentParser") -> None:
    """The options for points of buckets."""
    parser.add_argument(
        "--bucket", metavar="NAME", help="of a point of a bucket: into this one, which is new or empty"
    )
    parser.add_argument(
        "--as-of", metavar="TIME", help="the bucket as it was then: 2026-11-20T08:00:00+08:00"
    )


def is_meant(args: Args) -> bool:
    """Whether a bucket is to be brought back: by its name, as of a time, or into a bucket."""
    return bool(args.bucket or args.as_of or "@" in args.point)


def restore(client: "Client", args: Args) -> "Json":
    """Begin it; what the server answers."""
    if args.volume or args.project:
        raise bad_usage("a bucket has no volumes and goes into no project")
    name, at, site = args.point.rpartition("@")
    point = f"{name}@{client.id_of('/sites', site)}" if at else args.point
    body: Json = {"point": point, "site": client.id_of("/sites", args.to),
                  "vault": client.id_of("/sites", args.source)}  # fmt: skip
    told = {**body, "bucket": args.bucket, "as_of": args.as_of}
    return client.post("/backup/buckets/restore", {key: value for key, value in told.items() if value})


def member(client: "Client", text: str) -> "Json":
    """`SYSTEM@SITE/BUCKET` as a member of a policy."""
    system, _, rest = text.partition("@")
    site, _, name = rest.partition("/")
    if not (system and site and name):
        raise bad_usage("a bucket is written SYSTEM@SITE/BUCKET", f"'{text}' is not")
    return {
        "kind": "bucket",
        "system": client.id_of("/systems", system),
        "site": client.id_of("/sites", site),
        "name": name,
    }
