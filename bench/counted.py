"""`cloudctl serve` with a counter on the wire: each HTTP call to a cloud adds a line to a file."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from bench.bare_openstack import ID
from cloudctl.cli.main import main

_VERSION = re.compile(r"^/v[0-9.]+(?=/)")


def count_into(file: Path) -> None:
    """Write a line for each call that leaves this process through `requests`."""
    send = HTTPAdapter.send
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def counted(self: HTTPAdapter, request: PreparedRequest, **kwargs: Any) -> Response:
        path = _VERSION.sub("", ID.sub("*", request.path_url.split("?", maxsplit=1)[0]))
        os.write(descriptor, f"{request.method} {path}\n".encode())
        return send(self, request, **kwargs)

    HTTPAdapter.send = counted  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    count_into(Path(sys.argv[1]))
    sys.argv = ["cloudctl", "serve", *sys.argv[2:]]
    sys.exit(main())
