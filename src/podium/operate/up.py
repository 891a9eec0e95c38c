"""`podium up`, `down`, `reload` and `rollback`."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from msgspec import structs

from podium import __version__
from podium.errors import PodiumError, ServeError
from podium.folder import Parsed, parse
from podium.jobs.state import StateFolder
from podium.keys import CredentialsFile, missing_ways
from podium.operate.front import write
from podium.operate.home import Home, Options, Record, ago, is_there
from podium.operate.sites import site_of
from podium.operate.switch import Say, switch
from podium.operate.tls import certificate_of
from podium.operate.variables import digest_of, read_variables
from podium.production.certbot import certonly
from podium.production.render import render
from podium.production.site import Site
from podium.signature import Signature
from podium.web.calls import curl_calls


def bring_up(source: Path, state: StateFolder, given: Mapping[str, Any], say: Say) -> None:
    """Bring an application up, or let it go on with what has changed.

    What the command line leaves open stays as it was when the site was last brought up.

    Raises:
        PodiumError: it does not come up; all is as before.
    """
    _refuse_elsewhere()
    home, source = Home(state), source.resolve()
    with home.alone():
        record, parsed = home.record, parse(source)
        options = options_with(record.options if record else Options(), given)
        site = site_of(home, options, parsed.spec)
        for note in _notes(site, state, source, options.tls_off):
            say(note)
        running = record is not None and bool(home.units.states())
        _check_ports(site, record.options if record and running else None)
        try:
            if running:
                _renew(home, source, options, say)
            else:
                _start(home, source, options, say)
        except BaseException:
            if not running:
                home.units.close()
            raise
        _tell(site, parsed, home, say)


def take_down(source: Path, state: StateFolder, say: Say) -> None:
    """End all that runs for an application; what has been begun is finished.

    Raises:
        ServeError: nothing is up.
    """
    home, source = Home(state), source.resolve()
    with home.alone():
        if not home.units.states():
            is_there(home.record, source)
        home.units.close()
        home.forget()
    say(f"{source.name} is down. Data sets, keys and logs stay in {home.state}")


def reload(source: Path, state: StateFolder, say: Say) -> None:
    """Let the folder as it is now take its turn; no request is lost.

    Raises:
        PodiumError: it cannot; what served before goes on.
    """
    home, source = Home(state), source.resolve()
    with home.alone():
        record = _running(home, source)
        parse(source)
        _renew(home, source, record.options, say)


def rollback(source: Path, state: StateFolder, say: Say) -> None:
    """Let the release before take its turn again; no request is lost.

    Raises:
        PodiumError: there is none, or it cannot; what serves goes on.
    """
    home, source = Home(state), source.resolve()
    with home.alone():
        record = _running(home, source)
        before = record.before
        if before is None or not home.releases.path(before).is_dir():
            raise ServeError(f"There is no release before {record.release} to go back to.")
        _turn(home, record, source, record.options, before, say)
        say(f"Release {before} serves again. Mend {source} before the next `podium reload`, or "
            f"`podium rollback` once more brings {record.release} back.")  # fmt: skip


def render_site(
    source: Path, state: StateFolder, given: Mapping[str, Any], out: Path | None, say: Say
) -> None:
    """Write all files of a site into a folder, or print them; nothing else is done.

    Raises:
        PodiumError: podium.toml has mistakes, or an option is wrong.
    """
    home, source = Home(state), source.resolve()
    record, parsed = home.record, parse(source)
    options = options_with(record.options if record else Options(), given)
    site = site_of(home, options, parsed.spec, make=False)
    for name, text in render(site).items():
        if out is None:
            say(f"# {site.folder / name}\n{text}")
        else:
            write(out, name, text)
            say(f"Wrote {out / name}")


def options_with(before: Options, given: Mapping[str, Any]) -> Options:
    """Return the options as they were, but for what is given now."""
    told = {key: value for key, value in given.items() if value is not None}
    kinds = {"tls_cert": None, "tls_key": None, "tls_self_signed": False, "tls_off": False}
    if told.keys() & kinds.keys():  # they exclude one another
        before = structs.replace(before, **kinds)
    return structs.replace(before, **told)


def _start(home: Home, source: Path, options: Options, say: Say) -> None:
    """Bring up what does not run, after a crash or a start of the host too."""
    record = home.record
    home.units.close()
    home.forget()
    release = home.releases.make(source)
    try:
        switched = switch(home, source, options, release, say)
    except BaseException:
        if record is None or release != record.release:
            home.releases.remove(release)
        raise
    if record is not None and record.release != release:
        home.write(structs.replace(switched, before=record.release))


def _renew(home: Home, source: Path, options: Options, say: Say) -> None:
    """Let the folder take its turn, if anything has changed; a release that fails is removed."""
    record = _running(home, source)
    release = home.releases.make(source)
    variables = digest_of(read_variables(options.env_file)) if options.env_file else ""
    serves = (record.release, record.options, record.variables, record.podium)
    if (release, options, variables, __version__) == serves:
        say(f"Nothing has changed: release {release} serves since {ago(record.since)}.")
        _renew_certificate(home, record, say)
        return
    _turn(home, record, source, options, release, say)
    say(f"Release {release} serves.")


def _turn(
    home: Home, record: Record, source: Path, options: Options, release: str, say: Say
) -> None:
    try:
        switch(home, source, options, release, say)
    except BaseException as err:
        if release not in (record.release, record.before):
            home.releases.remove(release)
        told = f"Release {record.release} goes on serving."
        if isinstance(err, (PodiumError, OSError)):
            raise ServeError(f"{err}\n{told}") from err
        say(told)
        raise


def _renew_certificate(home: Home, record: Record, say: Say) -> None:
    """Let nginx read a certificate that is newer than what serves."""
    found = certificate_of(record.options, home.folder / "tls")
    if found is not None and found.chain.stat().st_mtime > record.since:
        home.units.signal("nginx", signal.SIGHUP)
        say("nginx has been told of the new certificate.")


def _running(home: Home, source: Path) -> Record:
    record = is_there(home.record, source)
    if home.units.states():
        home.units.revive()
    else:
        raise ServeError(
            f"{source} does not run any more: the host was started anew, or its processes were "
            f"ended. Bring it up again: podium up {source}"
        )
    return record


def _refuse_elsewhere() -> None:
    if not sys.platform.startswith("linux"):
        raise ServeError("`podium up` needs Linux. Use a container, or `podium serve`.")


def _notes(site: Site, state: StateFolder, source: Path, tls_off: bool = False) -> list[str]:
    """Return what the operator should know before the site is up."""
    access = site.spec.access
    held = CredentialsFile(state.path).read()
    notes = list(missing_ways(access, held, site.proxies, str(source)))
    if site.domain == "localhost":
        return notes
    if site.certificate is None:
        told = (
            f"WARNING: {site.domain} is served WITHOUT encryption: everybody on the way reads and "
            "changes what is sent."
        )
        # nginx has port 80, where certbot is answered from a folder: so not before it is up.
        lines = indent(f"sudo apt-get install certbot\n{certonly(site)}", "  ")
        way_out = f" Once it is up, get a certificate, which is free, then run this again:\n{lines}"
        notes.append(told if tls_off else told + way_out)
    if not access.require:
        notes.append("Everybody may ask who reaches this host: there is no [access] require.")
    if site.user == "root":
        notes.append(
            f"The models run as root, who owns {state.path}. To have them run as another user: "
            f"podium down {source}; chown -R USER {state.path}; podium up {source}"
        )
    return notes


def _check_ports(site: Site, held: Options | None) -> None:
    """Refuse ports that nginx could not listen on; those it holds already are its own."""
    ports = [site.http_port] + ([site.https_port] if site.certificate else [])
    own = (held.http_port, held.https_port) if held else ()
    for port in ports:
        if port not in own:
            _check_port(port)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as err:
            others = "--http-port 8080 --https-port 8443"
            if err.errno == errno.EACCES:
                raise ServeError(
                    f"Ports below 1024, as {port}, need root. Run it with sudo, or take others: "
                    f"{others}"
                ) from err
            raise ServeError(
                f"Port {port} cannot be listened on: {err.strerror}. Take others: {others}"
            ) from err


def _tell(site: Site, parsed: Parsed, home: Home, say: Say) -> None:
    signature = Signature.of(parsed)
    url = site.url.rstrip("/")
    call = curl_calls(signature, url)[0][1]
    if site.certificate is not None and site.certificate.chain.is_relative_to(site.folder):
        call = call.replace("curl", f"curl --cacert {site.certificate.chain}", 1)
    say(f"\n{parsed.spec.title}: {site.url}\n\n  {call}\n\nLogs: {home.logs}")
