"""The source bundle of AWS Elastic Beanstalk: the application, and how its platform runs it.

Beside Procfile, requirements.txt, a wheel of Podium and the folder app/ it holds, in .ebextensions,
the settings that belong to this version, and in .platform what the platform's nginx is told beside
its own files, and what makes the state folder.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Final

from podium.bundle.target import Target as Machine
from podium.deploy.requirements import lock_for, lock_of, requirements_of
from podium.deploy.steps import Secret
from podium.deploy.target import Deployment, Files
from podium.production.nginx import FORM_BYTES
from podium.production.notation import block, lines_of
from podium.production.site import FORGED, HEADER_BYTES, MARGIN_S, STALLED_S

ARCHIVE: Final = "bundle.zip"
PORT: Final = 8000
STATE: Final = "/var/lib/podium"
"""Beside the application, which each deployment replaces."""
INSTALL_S: Final = 1800
"""How long the platform waits for packages to be installed; PyTorch takes a while."""
VARIABLES: Final = "aws:elasticbeanstalk:application:environment"
_STORED: Final = "aws:elasticbeanstalk:application:environmentsecrets"
_STORED_AT: Final = re.compile(r"arn:aws[\w-]*:(secretsmanager|ssm):")
_ARM: Final = re.compile(r"[a-z]+\d+g")
"""Families of Graviton processors: t4g, m8g, c7gn."""
_HOOK: Final = f"""\
#!/bin/sh
# Data sets and kept answers outlive the versions of the application.
set -eu
install -d -o webapp -g webapp -m 700 {STATE}
"""


def bundle_of(app: Deployment) -> Files:
    """Return all that goes into the source bundle.

    Raises:
        BundleError: a package brings CUDA along, or the lock is none of these packages.
        DeployError: the lock is for another Python or another kind of processor.
    """
    made: dict[str, str | bytes | Path] = {
        "Procfile": _procfile(app),
        "requirements.txt": _requirements(app),
        app.wheel.name: app.wheel,
        ".ebextensions/podium.config": _settings(app),
        ".platform/hooks/predeploy/podium.sh": _HOOK,
        ".platform/nginx/conf.d/elasticbeanstalk/podium.conf": _server(app),
        **{f"app/{file.name}": file.path for file in app.bundle.files},
    }
    return {f"{ARCHIVE}/{name}": content for name, content in made.items()}


def proxies_of(app: Deployment) -> int:
    """Return how many proxies stand before the instance, the load balancer among them."""
    return app.parsed.spec.server.proxies + (app.settings.certificate is not None)


def machine_of(app: Deployment) -> Machine:
    """Return the Python and the kind of processor that packages are installed for.

    As [deploy] says, else as requirements.lock does, else this host's Python.
    """
    arm = _ARM.match(app.settings.instance_type)
    machine = "aarch64" if arm else "x86_64"
    lock = lock_of(app)
    python = app.settings.python or (lock.target if lock else Machine.here()).python
    return Machine(python, machine)


def _procfile(app: Deployment) -> str:
    # PORT tells the port; nginx, on the same instance, is one proxy more.
    proxies = proxies_of(app) + 1
    web = f"web: podium serve app --workers {app.workers} --proxies {proxies} --no-worker\n"
    return web + ("worker: podium worker app\n" if app.datasets else "")


def _requirements(app: Deployment) -> str:
    """Return what pip installs: the application's packages, then Podium's own wheel."""
    target = machine_of(app)
    lock_for(app, "the instance", target.machine, target.python)
    return requirements_of(app, target)


def _settings(app: Deployment) -> str:
    """Return the settings that come and go with this version; JSON is YAML, too."""
    told = {name: value for name, value in app.environment(STATE).items()
            if not isinstance(value, Secret)}  # fmt: skip
    stored = {name: value for name, value in told.items() if _STORED_AT.match(value)}
    plain = {name: value for name, value in told.items() if name not in stored}
    # What visitors ask wrongly says nothing about how well the instance is.
    health = {"Version": 1, "Rules": {"Environment": {"Application": {
        "ApplicationRequests4xx": {"Enabled": False}}}}}  # fmt: skip
    options = {
        VARIABLES: {**plain, "PORT": str(PORT)},
        **({_STORED: stored} if stored else {}),
        "aws:elasticbeanstalk:command": {
            # On the instance that is there, so that its disk stays.
            "DeploymentPolicy": "AllAtOnce", "Timeout": str(INSTALL_S),
        },
        "aws:elasticbeanstalk:healthreporting:system": {
            "SystemType": "enhanced", "ConfigDocument": json.dumps(health),
        },
    }  # fmt: skip
    return json.dumps({"option_settings": options}, indent=2, ensure_ascii=False) + "\n"


def _server(app: Deployment) -> str:
    """Return what belongs into the server block of the platform's nginx.

    A regular expression comes before the platform's own `location /`, which lets clients claim
    what only a proxy may say of them.
    """
    limits, base = app.parsed.spec.limits, app.parsed.spec.server.base_path
    wait_s = patience_of(app)
    return lines_of(
        "# How large a request may be and how long it may take, as [limits] says; and who asks is",
        "# told by nginx, not by visitors. Whole data sets may be larger.",
        f"client_max_body_size {limits.upload + FORM_BYTES};",
        f"large_client_header_buffers 4 {HEADER_BYTES};",
        f"proxy_send_timeout {wait_s}s;",
        f"proxy_read_timeout {wait_s}s;",
        block("location ~ ^/", *_passed(app)),
        block(
            f"location = {base}/datasets",
            f"client_max_body_size {limits.dataset + FORM_BYTES};",
            f"client_body_timeout {STALLED_S}s;",
            "proxy_request_buffering off;",
            *_passed(app),
        ),
    )


def patience_of(app: Deployment) -> int:
    """Return for how long whoever stands before Podium waits for an answer, in seconds."""
    return math.ceil(app.parsed.spec.limits.timeout) + MARGIN_S


def _passed(app: Deployment) -> list[str]:
    """Return how a request goes on to the application, and what it is told of the client."""
    spec = app.parsed.spec
    headers = {"Host": "$http_host", **dict.fromkeys(FORGED, '""')}
    if proxies_of(app):
        headers["X-Forwarded-For"] = "$proxy_add_x_forwarded_for"
    else:
        headers |= {"X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme",
                    spec.access.header: '""'}  # fmt: skip
    told = (f"proxy_set_header {name} {value};" for name, value in headers.items())
    return ["proxy_http_version 1.1;", *told, f"proxy_pass http://127.0.0.1:{PORT};"]
