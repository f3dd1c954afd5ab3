"""Applications over HTTP, through httpx: no redirects, no proxy from outside, bounded in time and size."""

import httpx

from cloudctl.errors import ApplicationUnavailable

TIMEOUT_S = 5.0
READ_S = 30.0
MOST_BYTES = 64 << 20
_AGENT = "cloudctl-sentinel"


class HttpApplication:
    """Any application; one pool of connections, safe for threads.

    `is_verified` False leaves certificates unchecked, for an application under the address of a test.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S, is_verified: bool = True) -> None:
        self._http = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            verify=is_verified,
            headers={"User-Agent": _AGENT},
        )

    def write(self, url: str, record: bytes) -> None:
        try:
            answer = self._http.post(url, content=record, headers={"Content-Type": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unavailable(url, str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise _unavailable(url, f"HTTP {answer.status_code}")

    def read(self, url: str) -> str:
        try:
            with self._http.stream("GET", url, timeout=READ_S) as answer:
                if not answer.is_success:
                    raise _unavailable(url, f"HTTP {answer.status_code}")
                pieces, size = [], 0
                for piece in answer.iter_bytes():
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise _unavailable(url, f"more than {MOST_BYTES} bytes")
                    pieces.append(piece)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unavailable(url, str(error) or type(error).__name__) from error
        return b"".join(pieces).decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def _unavailable(url: str, detail: str) -> ApplicationUnavailable:
    return ApplicationUnavailable("{url} did not answer: {detail}", url=url, detail=detail)
