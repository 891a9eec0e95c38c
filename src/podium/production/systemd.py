"""systemd's units: a template for the two slots, one for nginx; and how their logs are kept.

A slot is started with `systemctl start podium-NAME@a`, once its link to a release is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from podium.production.gunicorn import serve_command
from podium.production.nginx import nginx_command
from podium.production.site import Site

_OPEN_FILES: Final = 65_536
_CONFINED: Final = (
    "NoNewPrivileges=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes",
    "RestrictNamespaces=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "SystemCallArchitectures=native", "SystemCallFilter=@system-service", "UMask=0077",
)  # fmt: skip
"""What no program of a site needs. Memory may be made executable, as frameworks that compile
models do, and devices are there, since some of them compute."""
_ROOTS: Final = (
    "ProtectSystem=strict", "ProtectHome=read-only", "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
    "ProtectClock=yes", "ProtectHostname=yes",
)  # fmt: skip
"""What a user's own systemd has no right to set up."""
_BIND: Final = "CAP_NET_BIND_SERVICE"
"""What a process needs for ports below 1024 in place of root."""
_ROOT_S: Final = f"{_BIND} CAP_SETGID"
"""What root's nginx needs: it sets its workers' groups."""


def systemd_files(site: Site) -> dict[str, str]:
    """Return the units and what goes with them, by their paths in the site's folder."""
    files = {
        f"systemd/podium-{site.name}@.service": _server(site),
        f"systemd/podium-{site.name}-nginx.service": _nginx(site),
        f"logrotate/podium-{site.name}": _logrotate(site),
    }
    secret = serve_command(site, "a", site.release("a"))[1]
    if secret:
        lines = [f"{name}={_word(value)}" for name, value in secret.items()]
        files["systemd/environment"] = "\n".join([*lines, ""])
    return files


def _server(site: Site) -> str:
    command, _ = serve_command(site, "%i", site.release("%i"))
    return _unit(
        site,
        f"{_escaped(site.spec.title)} (podium, slot %i)",
        "%i",
        "Type=notify",
        f"WorkingDirectory={_escaped(site.folder)}",
        f"EnvironmentFile=-{_escaped(site.folder / 'systemd' / 'environment')}",
        f"ExecStart={_command(command, site)}",
        "KillMode=mixed",  # its main process lets the workers finish
        f"TimeoutStopSec={site.stop_s}",
        *_confined(site, site.state, ""),
    )


def _nginx(site: Site) -> str:
    return _unit(
        site,
        f"nginx before {_escaped(site.spec.title)} (podium)",
        "nginx",
        "Type=exec",
        f"ExecStart={_command(nginx_command(site), site)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "KillSignal=SIGQUIT",  # it finishes the requests that it has
        f"TimeoutStopSec={site.stop_s}",
        *_confined(site, site.folder, _ROOT_S if site.user == "root" else _BIND),
    )


def _unit(site: Site, description: str, log_name: str, *service: str) -> str:
    log = f"append:{_escaped(site.folder / 'logs')}/{log_name}.log"
    account = [f"User={site.user}"] if site.user else []
    target = "multi-user.target" if site.user else "default.target"
    parts = [
        ("Unit", [f"Description={description}", "After=network-online.target",
                  "Wants=network-online.target", "StartLimitIntervalSec=0"]),
        ("Service", [*account, *service, f"StandardOutput={log}",
                     f"StandardError={log}", "Restart=always", "RestartSec=1",
                     f"LimitNOFILE={_OPEN_FILES}"]),
        ("Install", [f"WantedBy={target}"]),
    ]  # fmt: skip
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in parts)


def _confined(site: Site, writes: Path, capability: str) -> list[str]:
    """Return what leaves a unit one folder to write to, `/tmp` for itself, and one capability."""
    if not site.user:
        return list(_CONFINED)
    temporary = any(site.state.is_relative_to(tmp) for tmp in ("/tmp", "/var/tmp"))  # noqa: S108
    own = [] if temporary else ["PrivateTmp=yes"]
    ambient = [f"AmbientCapabilities={capability}"] if capability else []
    return [f"ReadWritePaths={_word(_escaped(writes))}", f"CapabilityBoundingSet={capability}",
            *ambient, *own, *_CONFINED, *_ROOTS]  # fmt: skip


def _command(command: list[str], site: Site) -> str:
    """Return a command as systemd reads it; "%i" is the slot, in the paths made for one."""
    slot = (str(site.socket("%i")), str(site.release("%i")))
    return " ".join(_word(_escaped(part, part in slot)).replace("$", "$$") for part in command)


def _escaped(value: object, slot: bool = False) -> str:
    """Return a text in which systemd finds none of its specifiers but that of the slot."""
    text = str(value).replace("%", "%%")
    return text.replace("%%i", "%i") if slot else text


def _word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = escaped == text and text and "'" not in text and not any(map(str.isspace, text))
    return text if plain else f'"{escaped}"'


def _logrotate(site: Site) -> str:
    """Return how logs are kept for two weeks; their writers append, and need not open them anew."""
    lines = [
        *([f"su {site.user} {site.group}"] if site.user else []),
        "daily", "rotate 14", "compress", "delaycompress", "missingok", "notifempty",
        "copytruncate",
    ]  # fmt: skip
    return "\n".join(
        [f'"{site.folder / "logs"}"/*.log {{', *(f"    {one}" for one in lines), "}", ""]
    )
