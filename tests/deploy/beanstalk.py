"""AWS as a deployment to Elastic Beanstalk meets it: moto's server on loopback, made to fail.

Every request is kept as it came. What a test wants to be refused is told by the name of the call;
`last` is the one after which the network goes.
"""

from __future__ import annotations

import io
import json
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.core.base_backend import BackendDict
from moto.elasticbeanstalk import urls
from moto.iam import models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.deploy.beanstalk_calls import Calls, Place

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION = "eu-central-1"
POLICIES = "AWSElasticBeanstalk"
"""How those of AWS's own policies begin that moto has to know here."""
READS = re.compile(r"(Describe|List|Get|Request|Retrieve)\w+|GET|HEAD")
GONE, EXPIRED = "gone", "ExpiredToken"


class Aws:
    """The server, as WSGI around moto's: what was asked, and what shall be refused."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.asked: list[str] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.refuses: dict[str, tuple[str, str]] = {}
        self.last = ""
        self.tail = ("200 OK", b"")
        self._moto = DomainDispatcherApplication(create_backend_app)

    @property
    def changes(self) -> list[str]:
        """What was asked for but to look."""
        return [one for one in self.asked if not READS.fullmatch(one)]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"].startswith("/tail/"):
            status, more = self.tail
            start(status, [("Content-Type", "text/plain")])
            name = environ["PATH_INFO"].removeprefix("/tail/")
            return [self.place.instances[name].log().encode() + more]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        name = parse_qs(body.decode("latin-1")).get("Action", [environ["REQUEST_METHOD"]])[0]
        self.asked.append(name)
        self.bodies.append((name, body))
        code, message = self.refuses.get(name) or self.refuses.get("*") or ("", "")
        if code == GONE:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if code:
            start("403 Forbidden", [("Content-Type", "text/xml")])
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            whole = error if name in ("PUT", "GET") else f"<ErrorResponse>{error}</ErrorResponse>"
            return [whole.encode()]
        answer: Iterable[bytes] = self._moto(environ, start)
        if name == self.last:
            self.refuses["*"] = (GONE, "")
        return answer


@contextmanager
def aws(folder: Path, programs: Path, settings: Any) -> Iterator[Aws]:
    """Run AWS; `settings` is a MonkeyPatch, by which boto3 finds it and nothing else.

    Its instances find `podium` in the folder `programs`.
    """
    BackendDict.reset()
    place = Place(folder, programs)
    settings.setattr(Calls, "place", place, raising=False)
    settings.setattr(urls, "url_paths", {"{0}/$": Calls.dispatch})
    known = json.loads(aws_managed_policies_data)
    own = {name: one for name, one in known.items() if name.startswith(POLICIES)}
    settings.setattr(models, "aws_managed_policies_data", json.dumps(own))
    settings.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    there = Aws(place)
    server = make_server("127.0.0.1", 0, there, threaded=True, request_handler=MotoRequestHandler)
    place.address = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "AWS_ENDPOINT_URL": place.address, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-of-the-account",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }.items():  # fmt: skip
        settings.setenv(name, value)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        place.stop()
