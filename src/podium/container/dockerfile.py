"""The Dockerfile: packages, Podium, the application, its models, each in a layer of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from podium.bundle.size import C_LIBRARIES, SOURCE_ENDINGS, TEST_FOLDERS
from podium.container.facts import APPLICATION, FRONT, PORT, STATE, USER, Container
from podium.errors import PYTORCH_INDEX

_HOME: Final = "/opt/podium"
_BYTECODE: Final = "/opt/bytecode"
FIRST_STEP: Final = f"groupadd -g {USER} podium"
"""What is done first above the base image."""

_TEXT: Final = """\
# Written by podium build, which writes it anew.
ARG PYTHON_IMAGE={python_image}

# What changes least comes first: packages, Podium, application, models. pip stays behind.
FROM ${{PYTHON_IMAGE}} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Gunicorn's parser comes as source alone.
# hadolint ignore=DL3008
RUN apt-get update -qq \\
 && apt-get install -y -qq --no-install-recommends gcc libc6-dev \\
 && rm -rf /var/lib/apt/lists/*
{index}RUN python -m venv --without-pip {home}
COPY requirements.txt /tmp/
RUN {install}
RUN {clean}

FROM packages AS podium
COPY wheels/{wheel} /tmp/
RUN python -m pip --python {home}/bin/python install --no-cache-dir --no-compile --no-deps \\
        --no-index --prefix /own /tmp/{wheel} \\
 && cp -a /own/. {home}/
# Bytecode of what is imported, and of nothing else: a read-only root keeps none.
RUN PYTHONPYCACHEPREFIX={bytecode} {home}/bin/python -m podium.container.warm{extras}

FROM ${{PYTHON_IMAGE}}
RUN {first_step} \\
 && useradd -l -M -u {user} -g {user} -d /tmp -s /usr/sbin/nologin podium \\
 && install -d -m 700 -o {user} -g {user} {state} {front}/run {front}/tls {front}/cache
COPY --from=packages {home} {home}
COPY --from=podium /own {home}
COPY --from=podium {bytecode} {bytecode}
COPY app/ {application}/
COPY models/ {application}/
ENV PATH={home}/bin:$PATH \\
    PYTHONPYCACHEPREFIX={bytecode} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \\
    HOME=/tmp PODIUM_STATE={state} PORT={port}
WORKDIR {application}
USER {user}:{user}
VOLUME {state}
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=120s CMD {health}
CMD {command}
"""


def dockerfile(container: Container) -> str:
    """Return the image's Dockerfile."""
    packages = container.packages
    index = f"ARG PYTORCH_INDEX={PYTORCH_INDEX}\n" if packages.needs_torch else ""
    command = ["podium", "serve", str(APPLICATION), "--host", "0.0.0.0"]  # noqa: S104  # nosec B104
    return _TEXT.format(
        python_image=container.python_image, home=_HOME, bytecode=_BYTECODE, wheel=container.wheel,
        index=index, install=_steps(_install(container)), clean=_steps(_clean()),
        extras="".join(f" {extra}" for extra in packages.extras), first_step=FIRST_STEP,
        user=USER, state=STATE,
        front=FRONT, application=APPLICATION, port=PORT, health=json.dumps(container.health),
        command=json.dumps(command),
    )  # fmt: skip


def _install(container: Container) -> Iterable[str]:
    """Yield the commands that install the packages, and refuse CUDA, which nothing here runs on."""
    packages = container.packages
    yield " \\\n        ".join((
        f"python -m pip --python {_HOME}/bin/python install --no-cache-dir --no-compile",
        *(["--require-hashes"] if container.lock else []),
        *(['${PYTORCH_INDEX:+--extra-index-url "$PYTORCH_INDEX"}'] if packages.needs_torch else []),
        "-r /tmp/requirements.txt",
    ))  # fmt: skip
    if packages.needs_torch:
        found = f"{_HOME}/lib/python{packages.target.python}/site-packages/nvidia"
        told = "CUDA came along: name an index of builds for processors as PYTORCH_INDEX"
        yield f'if [ -e {found} ]; then echo "{told}" >&2; exit 1; fi'


def _clean() -> Iterable[str]:
    """Yield the commands that remove what an image does without."""
    files = (*(f"*{ending}" for ending in SOURCE_ENDINGS), *C_LIBRARIES)
    yield f"find {_HOME}/lib -depth -type d {_named(TEST_FOLDERS)} -exec rm -rf {{}} +"
    yield f"find {_HOME}/lib -type f {_named(files)} -delete"


def _named(names: Iterable[str]) -> str:
    listed = " -o ".join(f"-path '*/{name}'" for name in names)
    return f"\\( {listed} \\)"


def _steps(commands: Iterable[str]) -> str:
    return " \\\n && ".join(commands)
