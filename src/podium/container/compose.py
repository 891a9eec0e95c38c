"""compose.yaml: the server, the worker of data sets, and nginx with TLS before them."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from podium.container.facts import APPLICATION, FRONT, PORT, SECURE_PORT, STATE, USER, Container
from podium.errors import PYTORCH_INDEX
from podium.production.nginx import nginx_command, nginx_files

_TEXT: Final = """\
# Written by podium build, which writes it anew. What stands as ${{...}} is told by the environment,
# or by a file .env beside this one:
#   PODIUM_DOMAIN       the name under which the application is reached; {domain} when left out
#   PODIUM_HTTP_PORT    80 when left out
#   PODIUM_HTTPS_PORT   443 when left out
#   PODIUM_TLS          a folder, such as ./tls, with fullchain.pem and privkey.pem, which user
#                       {user} may read; a certificate to try it with is made when left out
#   PODIUM_APP_CPUS, PODIUM_APP_MEMORY, PODIUM_WORKER_CPUS, PODIUM_WORKER_MEMORY
#                       limits such as 2 and 1g; none when left out
#   PODIUM_DATABASE, PODIUM_RATE_STORE
#                       addresses of a database of jobs and of a store of rates, if there are any
#   PODIUM_IMAGE, PYTHON_IMAGE, NGINX_IMAGE
#                       other images than {tag}, {python_image} and {nginx_image}
# What the application's own code wants to find in its environment goes into application.env.
name: "{name}"

x-service: &service
  user: "{user}:{user}"
  read_only: true
  tmpfs: [/tmp]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  restart: unless-stopped
  logging:
    driver: json-file
    options: {{max-size: 10m, max-file: "5"}}

# The image is built here, or pulled by hand: a registry may have another's of the same name.
x-podium: &podium
  <<: *service
  image: ${{PODIUM_IMAGE:-{tag}}}
  pull_policy: never
  init: true
  stop_grace_period: {stop_s}s

services:
  certificate:
    <<: *podium
    restart: "no"
    command: {certificate}
    environment:
      PODIUM_DOMAIN: ${{PODIUM_DOMAIN:-{domain}}}
      PODIUM_HTTPS_PORT: ${{PODIUM_HTTPS_PORT:-443}}
      PODIUM_TLS: ${{PODIUM_TLS:-}}
    network_mode: none
    healthcheck: {{disable: true}}
    volumes: ["${{PODIUM_TLS:-tls}}:{front}/tls", "run:{front}/run", "cache:{front}/cache"]

  app:
    <<: *podium
    build:
      context: .
      args:
        PYTHON_IMAGE: ${{PYTHON_IMAGE:-{python_image}}}{pytorch}
    command: {serve}
    environment: [PODIUM_DATABASE, PODIUM_RATE_STORE]
    env_file: [{{path: application.env, required: false}}]
    healthcheck:
      test: {health}
    volumes: ["state:{state}", "run:{front}/run"]
    cpus: ${{PODIUM_APP_CPUS:-0}}
    mem_limit: ${{PODIUM_APP_MEMORY:-0}}

  worker:
    <<: *podium
    command: {worker}
    environment: [PODIUM_DATABASE, PODIUM_RATE_STORE]
    env_file: [{{path: application.env, required: false}}]
    healthcheck: {{disable: true}}
    volumes: ["state:{state}"]
    cpus: ${{PODIUM_WORKER_CPUS:-0}}
    mem_limit: ${{PODIUM_WORKER_MEMORY:-0}}

  nginx:
    <<: *service
    image: ${{NGINX_IMAGE:-{nginx_image}}}
    entrypoint: {nginx}
    # What it reads at its start alone: where this is another, Compose makes it anew.
    labels: ["podium.reads={files} ${{PODIUM_DOMAIN:-{domain}}}"]
    stop_signal: SIGQUIT
    stop_grace_period: {stop_s}s
    depends_on:
      certificate: {{condition: service_completed_successfully}}
      app: {{condition: service_healthy}}
    ports: ["${{PODIUM_HTTP_PORT:-80}}:{port}", "${{PODIUM_HTTPS_PORT:-443}}:{secure_port}"]
    healthcheck:
      test: [CMD, bash, -c, ": < /dev/tcp/127.0.0.1/{secure_port}"]
      interval: 5s
    volumes:
      - ./nginx:{front}/nginx:ro,z
      - ${{PODIUM_TLS:-tls}}:{front}/tls:ro
      - run:{front}/run:ro
      - cache:{front}/cache

volumes:
  state:
  run:
  tls:
  cache:
"""
_PYTORCH: Final = f"\n        PYTORCH_INDEX: ${{PYTORCH_INDEX-{PYTORCH_INDEX}}}"
NGINX_IMAGE: Final = "nginx:1.30-trixie"


def compose(container: Container) -> str:
    """Return compose.yaml."""
    site, application = container.site, str(APPLICATION)
    socket = str(site.live)
    serve = ["podium", "serve", application, "--socket", socket, "--proxies", "1", "--no-worker"]
    return _TEXT.format(
        name=container.name, tag=container.tag, user=USER, front=FRONT, state=STATE, port=PORT,
        secure_port=SECURE_PORT, stop_s=site.stop_s, nginx_image=NGINX_IMAGE,
        python_image=container.python_image, domain=(*site.spec.server.hosts, "localhost")[0],
        pytorch=_PYTORCH if container.packages.needs_torch else "",
        certificate=json.dumps(["python", "-m", "podium.container.certificate", container.name]),
        serve=json.dumps(serve), worker=json.dumps(["podium", "worker", application]),
        health=json.dumps(["CMD", *container.health, socket]),
        nginx=json.dumps(nginx_command(site)),
        files=hashlib.sha256("".join(nginx_files(site).values()).encode()).hexdigest()[:16],
    )  # fmt: skip
