"""Google Cloud as an account reaches it: credentials, plain REST, and errors in Podium's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from podium.deploy.cloud_run import Place
from podium.errors import DeployError, MissingExtra

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_ASK_S: Final = 60.0
_ADDRESS: Final = re.compile(r"^[A-Z]+ https?://\S+: ")
"""What Google's libraries put before the words of the API."""
_LOGIN: Final = "gcloud auth application-default login"
_RENEW: Final = f"Renew the credentials (`{_LOGIN}`), and run it again: it goes on where it was."


class Access:
    """An account's way to the services of Google Cloud."""

    def __init__(self, place: Place, environment: Mapping[str, str]) -> None:
        try:
            import google.auth
            from google.auth.transport.requests import AuthorizedSession
        except ImportError as err:
            raise MissingExtra("Google Cloud Run", "google") from err
        self._place, self._environment = place, environment
        with self.told():
            self.credentials, _ = google.auth.default(scopes=[_SCOPE])
        self._session = AuthorizedSession(self.credentials)

    def endpoint(self, service: str) -> str:
        """Return where a service answers; gcloud knows the variable by which another is named."""
        named = self._environment.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}")
        return (named or f"https://{service}.googleapis.com").rstrip("/")

    def ask(
        self, service: str, method: str, path: str, body: Any = None, **query: str
    ) -> dict[str, Any]:
        """Return what a service answers to plain REST, as its SDKs ask it too.

        Raises:
            GoogleAPICallError: it refuses.
        """
        from google.api_core.exceptions import from_http_response

        response = self._session.request(
            method, f"{self.endpoint(service)}/{path}", json=body, params=query, timeout=_ASK_S
        )
        if response.status_code >= 400:
            raise from_http_response(response)
        told: dict[str, Any] = response.json()
        return told

    def identity(self, audience: str) -> dict[str, str]:
        """Return the header that lets a request in where not everybody may ask."""
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request
        from google.oauth2.id_token import fetch_id_token

        token = getattr(self.credentials, "id_token", None)  # a person's come with one
        try:
            token = token or fetch_id_token(Request(), audience)
        except GoogleAuthError:  # what is seen then is that nobody is let in
            return {}
        return {"Authorization": f"Bearer {token}"}

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell what Google's libraries raise as a DeployError: what was said, and the way out."""
        import requests
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth import exceptions as auth

        try:
            yield
        except auth.DefaultCredentialsError as err:
            raise DeployError(
                f"There are no credentials for Google Cloud. Run `{_LOGIN}`, or let "
                f"GOOGLE_APPLICATION_CREDENTIALS name a service account's key. ({err})"
            ) from err
        except GoogleAPICallError as err:
            raise DeployError(_refused(err, self._place)) from err
        except (auth.TransportError, RetryError, requests.RequestException) as err:
            raise DeployError(
                f"Google Cloud is not reached: {err}. Look at the network, and run it again: it "
                "goes on where it was."
            ) from err
        except auth.GoogleAuthError as err:
            raise DeployError(
                f"Google Cloud does not take the credentials any more: {err}. {_RENEW}"
            ) from err


def _refused(err: Any, place: Place) -> str:
    """Return what Google Cloud has refused, in its words, and the way out."""
    said = _ADDRESS.sub("", str(err.message)).strip()
    return f"Google Cloud: {said.rstrip('.')}. {_way_out(err.code, said, place)}".rstrip()


def _way_out(code: int | None, said: str, place: Place) -> str:
    if "has not been used in project" in said or "SERVICE_DISABLED" in said:
        return (
            "Switch the services on: gcloud services enable run.googleapis.com "
            f"secretmanager.googleapis.com logging.googleapis.com --project {place.project}"
        )
    if "locations/" in said and code in (400, 403, 404):
        return (
            f"Is {place.region!r} a region, which [deploy.cloud-run] region names? `gcloud run "
            "regions list` lists them."
        )
    ways = {
        401: _RENEW,
        403: f"The account needs the roles Cloud Run Admin and Service Account User in the project "
             f"{place.project!r} (with secrets: Secret Manager Admin, too).",
        409: "Somebody else has just changed it. Run it again.",
        429: "A quota is used up. Wait, or ask for more: "
             f"https://console.cloud.google.com/iam-admin/quotas?project={place.project}",
    }  # fmt: skip
    if code is not None and code >= 500:
        return "Run it again in a moment: it goes on where it was."
    return ways.get(code or 0, "")
