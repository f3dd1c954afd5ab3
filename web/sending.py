"""Files as answers: to be saved under their own name, Chinese as it is written."""

from io import BytesIO
from typing import Any

from flask import Response, send_file

# For the document of the API: an answer that is a file.
FILE: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "the file", "content": {"*/*": {}}}  # of its own type
}
# A page that is opened may style itself and nothing else; it is not of the portal.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def attachment(name: str, media_type: str, content: bytes) -> Response:
    """The file, to be saved; names in Chinese travel as RFC 5987 has it."""
    answer = send_file(BytesIO(content), media_type, as_attachment=True, download_name=name)
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
