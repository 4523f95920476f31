"""Random names and secret links. A link's token is never stored: it follows from the application's secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_public_id() -> str:
    """A name of 128 random bits, 32 hexadecimal digits, that tells nothing."""
    return secrets.token_hex(16)


def invite_token(secret_key: str, invite_public_id: str) -> str:
    """The token of an invitation's link: whoever knows the secret key can print the link again."""
    return hmac.new(secret_key.encode(), f"invite:{invite_public_id}".encode(), hashlib.sha256).hexdigest()[
        :40
    ]


def new_resume_code() -> str:
    """A code that a person can write down: 12 letters and digits without look-alikes, 59 bits."""
    alphabet = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
    code = "".join(secrets.choice(alphabet) for _ in range(12))
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def token_hash(token: str) -> str:
    """What is stored of a token or code: SHA-256; upper and lower case and dashes of a code do not matter."""
    return hashlib.sha256(token.strip().upper().replace("-", "").encode()).hexdigest()
