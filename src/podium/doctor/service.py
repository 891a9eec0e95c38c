"""The application itself: whether it is there, ready, predicts, and says what is wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Final

from podium.deploy.facts import facts_of
from podium.deploy.targets import TARGETS
from podium.doctor.finding import Finding, unknown, warning, well, wrong
from podium.doctor.patient import JSON, Patient
from podium.doctor.proxies import PODIUM, is_own, time_setting, who
from podium.doctor.visitor import BROWSER, Told, at_once
from podium.hosting import LIMITS, as_hosted
from podium.spec import Spec
from podium.spec.serving import told_limits
from podium.strict import Period, Size

OVERDUE: Final = (502, 504, 524)
"""What proxies say when an answer does not come in time, or its connection ends."""


def is_ready(patient: Patient) -> Iterator[Finding]:
    """Look that every model is loaded."""
    told = patient.visitor.get("/readyz")
    if told.status == 200:
        yield well("/readyz", "every model is loaded")
    else:
        mend = "its log says why: podium logs DIR" if told.status == 503 else "let it pass"
        yield wrong("/readyz", told.brief, "200", mend)


def versions(patient: Patient) -> Iterator[Finding]:
    """Look which models serve, and in which version."""
    told = patient.visitor.get("/models")
    if told.status in (401, 403) and not patient.visitor.key:
        yield unknown("/models", "is not for everybody", "show a key: --key KEY")
    elif told.status != 200 or not isinstance(told.json, dict):
        yield wrong("/models", told.brief, "200, the models", "podium logs DIR")
    else:
        models = [f"{one['name']} {one['version']}" for one in told.json.get("models", [])]
        release = told.json.get("release")
        yield well("/models", ", ".join(models) + (f"; release {release}" if release else ""))


def limits_agree(patient: Patient) -> Iterator[Finding]:
    """Look that what serves has the limits of podium.toml, lowered at most by its host."""
    if patient.spec is None or not patient.limits:
        return
    check, wanted = "[limits]", told_limits(patient.spec.limits)
    other = {key: told for key, told in patient.limits.items() if wanted.get(key, told) != told}
    listed = "; ".join(f"{key} = {_unit(key, told)}, in podium.toml {_unit(key, wanted[key])}"
                       for key, told in other.items())  # fmt: skip
    if not other:
        yield well(check, "as in podium.toml")
    elif platforms := _lowering(patient.spec, patient.limits):
        yield well(check, f"lowered, as at {' or '.join(platforms)}: {listed}")
    elif "rows" not in other and all(told < wanted[key] for key, told in other.items()):
        yield warning(check, f"what serves has lower limits: {listed}", "those of podium.toml",
                      "podium reload DIR; where its host lowers them (PODIUM_LIMITS), they are "
                      "meant to be so")  # fmt: skip
    else:
        yield wrong(check, f"what serves has other limits: {listed}", "those of podium.toml",
                    "podium reload DIR")  # fmt: skip


def _lowering(spec: Spec, limits: Mapping[str, float]) -> list[str]:
    """Return the targets of `podium deploy` that lower [limits] to these."""
    found = []
    for target in TARGETS:
        lowered = facts_of(target).lowered(spec.limits)
        told = "; ".join(f"{key}={text}" for key, text in lowered.items())
        there = told_limits(as_hosted(spec, {LIMITS: told}).limits)
        if all(there.get(key) == value for key, value in limits.items()):
            found.append(target)
    return found


def prediction(patient: Patient) -> Iterator[Finding]:
    """Make one real prediction, from an example that the API's description gives."""
    body, check = patient.question(), "prediction"
    if body is None:
        yield unknown(check, "what /predict takes is not known: /openapi.json does not say it",
                      "show a key: --key KEY")  # fmt: skip
        return
    told = patient.visitor.send("POST", "/predict", *at_once(body), JSON)
    document = told.json
    if told.status == 200 and isinstance(document, dict) and document.get("predictions"):
        made = f"{document['model']} {document['version']} answered in {told.seconds:.2f} s"
        yield well(check, made)
    else:
        yield refused(patient, check, told, "200, a prediction")


def refused(patient: Patient, check: str, told: Told, expected: str) -> Finding:
    """Return that a prediction was not answered, and why."""
    by = who(told)
    seen = f"{by} answered after {told.seconds:.1f} s: {told.brief}"
    if told.status in OVERDUE and by != PODIUM:
        wanted = patient.patience_s
        expected = f"an answer, or the application's own refusal; so a wait of {wanted or 'more'} s"
        mend = f"{time_setting(told, wanted)}; where it is short, the server ended: podium logs DIR"
        return wrong(check, seen, expected, mend)
    return wrong(check, seen, expected, "podium check DIR; podium logs DIR")


def errors(patient: Patient) -> Iterator[Finding]:
    """Look that what is wrong is told as a problem document, without a traceback."""
    asked = {
        "an address that is not there": patient.visitor.get("/podium-doctor"),
        "a body that is no JSON": patient.visitor.send("POST", "/predict", *at_once(b"{"), JSON),
    }
    for what, told in asked.items():
        check = f"error: {what}"
        if told.problem is None or told.status not in (400, 401, 403, 404):
            yield wrong(check, f"{who(told)}: {told.status} {told.headers.get_content_type()}",
                        "a problem document (RFC 9457)", "nginx: proxy_intercept_errors off; let "
                        "no proxy put pages of its own in place of 4xx answers")  # fmt: skip
        elif "Traceback" in told.text:
            yield wrong(check, "a traceback", "no word of the program", "podium logs DIR")
        else:
            yield well(check, told.brief)


def keeps_connections(patient: Patient) -> Iterator[Finding]:
    """Look that a connection takes several requests."""
    with closing(patient.visitor.connect()) as connection:
        told = patient.visitor.send_on(connection, "GET", "/healthz")
        again = told.stays and patient.visitor.send_on(connection, "GET", "/healthz").status == 200
    if again:
        yield well("keep-alive", "a connection takes several requests")
    else:
        yield warning("keep-alive", "the connection is closed after each answer", "kept open",
                      "nginx: keepalive_timeout 75s;")  # fmt: skip


def request_ids(patient: Patient) -> Iterator[Finding]:
    """Look that a request has one id, that of who asks if there is one."""
    given = hashlib.sha256(patient.visitor.address.url.encode()).hexdigest()[:16]
    told = patient.visitor.get("/healthz", {"X-Request-Id": given}).headers.get_all("X-Request-Id")
    if told == [given]:
        yield well("request id", "is passed on, and told once")
    else:
        yield warning("request id", f"sent {given}, told {told or 'none'}", "the same, once",
                      "nginx: proxy_set_header X-Request-Id, and no add_header of it")  # fmt: skip


def page_refused(patient: Patient) -> Iterator[Finding]:
    """Look that who shows no key gets nothing, where something is required."""
    required = patient.spec.access.require if patient.spec else ()
    declared = bool(patient.api.get("security"))
    if not (required or declared or patient.visitor.key):
        yield from _everybody(patient)
        return
    stranger = patient.visitor.without_key()
    for path in ("/", "/models", "/openapi.json", "/predict", "/datasets"):
        check = f"{path} without a key"
        told = (
            stranger.send("POST", path, *at_once(patient.question() or b"{}"), JSON)
            if path == "/predict"
            else stranger.get(path, BROWSER)
        )
        if told.status in (301, 302, 303, 307, 308, 401, 403):
            yield well(check, f"{told.status} {told.headers.get('Location', '')}".strip())
        else:
            yield wrong(check, told.brief, "401, 403, or the page of the password",
                        '[access] require = ["key"] in podium.toml, then podium reload DIR; and no '
                        "proxy before it that shows a key for others, or keeps answers"
            )  # fmt: skip


def _everybody(patient: Patient) -> Iterator[Finding]:
    if patient.visitor.address.is_local or not patient.is_open:
        yield well("access", "everybody who reaches it may ask" if patient.is_open else "is asked")
        return
    yield warning("access", "everybody may ask", "that this is meant",
                  '[access] require = ["key"] or ["password"], or a rate (docs/howto/access.md)'
    )  # fmt: skip


def metrics(patient: Patient) -> Iterator[Finding]:
    """Look that the figures of the server are not for everybody."""
    told = patient.visitor.without_key().get("/metrics")
    public = told.status == 200 and re.search(r"^# (HELP|TYPE) ", told.text, re.M) is not None
    if not public:
        yield well("/metrics", f"not for everybody: {told.status}")
    elif patient.visitor.is_here:
        yield unknown("/metrics", "is for this machine, which is asking", "ask from another one")
    else:
        yield wrong("/metrics", "everybody reads the server's figures", "401 or 404",
                    "[server] proxies has to count all proxies before it; nginx: location = "
                    f"{patient.visitor.address.base}/metrics {{ deny all; }}")  # fmt: skip


def other_sites(patient: Patient) -> Iterator[Finding]:
    """Look that scripts of other sites do not read answers."""
    origin = {"Origin": "https://podium-doctor.example"}
    told = patient.visitor.get("/models", origin).headers.get_all("Access-Control-Allow-Origin")
    allowed = patient.spec.access.cors if patient.spec else ()
    if told and "*" not in allowed:
        mend = "[access] cors lists who may; nginx: no add_header Access-Control-Allow-Origin"
        yield (wrong if is_own(patient.page) else warning)(
            "CORS", f"scripts of any site read answers: {', '.join(told)}", "none, or those listed",
            mend)  # fmt: skip
    else:
        yield well(
            "CORS", "any site, as [access] cors says" if told else "other sites read nothing"
        )


def _unit(key: str, value: float) -> str:
    if key == "rows":
        return f"{value:.0f}"
    return str(Period(value) if key == "timeout" else Size(value))
