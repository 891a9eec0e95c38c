"""Who may ask a Google Cloud on loopback: one service account, by OAuth as Google does it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.crypt import RSASigner, RSAVerifier

ACCOUNT = "deployer@demo.iam.gserviceaccount.com"


class Accounts:
    """The account's key, the tokens that were given for it, and whether they hold still."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()  # fmt: skip
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._tokens: set[str] = set()
        self.base = ""
        self.revoked = False
        self.identities: set[str] = set()

    def write_key(self, file: Path) -> Path:
        """Write the file that GOOGLE_APPLICATION_CREDENTIALS names."""
        file.write_text(json.dumps({
            "type": "service_account", "project_id": "demo", "private_key_id": "1",
            "private_key": self._private, "client_email": ACCOUNT, "client_id": "1",
            "token_uri": f"{self.base}/token",
        }))  # fmt: skip
        return file

    def knows(self, authorization: str) -> bool:
        """Whether a header holds a token of the account, one that it was given or has signed."""
        token = authorization.removeprefix("Bearer ")
        return not self.revoked and (token in self._tokens or self._signed(token))

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Give a token for what the account has signed: to ask with, or to show who asks."""
        assertion = form.get("assertion", "")
        if self.revoked or not self._signed(assertion):
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired."}
        claims = jwt.decode(assertion, verify=False)
        if "target_audience" in claims:
            payload = {"iss": "https://accounts.google.com", "aud": claims["target_audience"],
                       "iat": int(time.time()), "exp": int(time.time()) + 3600}  # fmt: skip
            told = jwt.encode(RSASigner.from_string(self._private), payload).decode()
            self.identities.add(told)
            return 200, {"id_token": told}
        token = uuid4().hex
        self._tokens.add(token)
        return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _signed(self, token: str) -> bool:
        try:
            _, claims, signed, signature = jwt._unverified_decode(token)
        except ValueError:
            return False
        right: bool = RSAVerifier.from_string(self._public).verify(signed, signature)
        return right and claims["iss"] == ACCOUNT
