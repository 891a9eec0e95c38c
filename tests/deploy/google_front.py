"""What stands before the revisions of Cloud Run: it lets visitors in, or answers itself."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.deploy.loopback import Reply

if TYPE_CHECKING:
    from tests.deploy.google_cloud import GoogleCloud


def visited(cloud: GoogleCloud, method: str, target: str, headers: Any, body: bytes) -> Reply:
    """Return what a visitor is answered: by the revision that serves, if it gets so far."""
    revision = cloud.serving()
    if urlsplit(target).path.endswith("z"):
        return 404, "text/html", b"<title>Error 404 (Not Found)!!1</title>"
    if revision is None:
        return 503, "text/plain", b"no available instance"
    if not cloud.public and headers.get("Authorization", "")[7:] not in cloud.accounts.identities:
        return 403, "text/html", b"<title>403 Forbidden</title>"
    passed = {key: value for key, value in headers.items() if key != "Connection"}
    passed |= {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    connection = http.client.HTTPConnection("127.0.0.1", revision.port, timeout=30)
    try:
        connection.request(method, target, body, passed)
        response = connection.getresponse()
        return response.status, response.headers.get_content_type(), response.read()
    except (OSError, http.client.HTTPException):
        return 503, "text/plain", b"upstream connect error"
    finally:
        connection.close()
