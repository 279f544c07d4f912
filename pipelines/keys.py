"""The keys of a lake: made once by `cdp init`, kept outside the tables, read from files.

`identity.key` makes phone tokens and OneIDs and is never rotated; `pepper.key` keys every other digest; `vault.key`
encrypts clear values (AES-256-GCM).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipelines.errors import ConfigurationError, IntegrityError

NAMES = ("identity", "pepper", "vault")
BYTES = 32
DEMO_MARK = "DEMO"


@dataclass(frozen=True)
class Keys:
    """The three keys as hex text; the vault key also has an id that is stored with every ciphertext."""

    identity: str
    pepper: str
    vault: str

    def __repr__(self) -> str:
        return f"Keys(vault_id={self.vault_id})"

    @property
    def vault_id(self) -> str:
        """The first eight hex characters of the vault key's digest."""
        return hashlib.sha256(bytes.fromhex(self.vault)).hexdigest()[:8]


def create_keys(folder: Path) -> bool:
    """The keys exist in the folder afterwards, readable by the owner only; True when they were made now.

    An existing key is never overwritten: another identity key would give every person a new OneID.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = False
    for name in NAMES:
        path = folder / f"{name}.key"
        if path.exists():
            continue
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(BYTES) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        made = True
    return made


def create_demo_keys(folder: Path, mix_keys: str) -> None:
    """The demo's fixed keys stand in the folder, marked as such; keys that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    if any((folder / f"{name}.key").exists() for name in NAMES):
        return
    (folder / DEMO_MARK).write_text("Fixed keys of the demo: anyone can know them.\n", encoding="utf-8")
    (folder / "mix_keys.yaml").write_text(mix_keys, encoding="utf-8")
    for name in NAMES:
        path = folder / f"{name}.key"
        path.write_text(hashlib.sha256(f"demo {name}".encode()).hexdigest() + "\n", encoding="ascii")
        path.chmod(0o600)


def refuse_demo_keys(folder: Path, env: str) -> None:
    """Keys that anyone can know are refused in production."""
    if env == "prod" and (folder / DEMO_MARK).exists():
        raise ConfigurationError(
            "the lake has the demo's keys", where=str(folder), hint="make a new lake with `cdp init`"
        )


def load_keys(folder: Path) -> Keys:
    """The keys of the folder; a missing or malformed one is refused with the command that makes it."""
    values: dict[str, str] = {}
    for name in NAMES:
        path = folder / f"{name}.key"
        try:
            value = path.read_text(encoding="ascii").strip()
            valid = len(bytes.fromhex(value)) == BYTES
        except FileNotFoundError:
            raise ConfigurationError(
                f"the {name} key is missing", where=str(path), hint="run `cdp init` first"
            ) from None
        except (ValueError, OSError):
            valid = False
            value = ""
        if not valid:
            raise ConfigurationError(
                f"the {name} key cannot be read as {BYTES * 2} hex characters",
                where=str(path),
                hint="restore the key from your backup; a new key would not fit the lake",
            )
        values[name] = value
    return Keys(**values)


def seal(vault_key: str, token: str, clear: str) -> str:
    """The clear text encrypted under the token, base64; the same input gives the same text.

    The nonce is a keyed digest of token and text, so no two texts share one (deterministic AES-GCM as in RFC 8452's
    motivation), and running a day again changes no row.
    """
    key = bytes.fromhex(vault_key)
    nonce = hmac.new(key, f"{token}\x1f{clear}".encode(), hashlib.sha256).digest()[:12]
    cipher = AESGCM(key).encrypt(nonce, clear.encode(), token.encode())
    return base64.b64encode(nonce + cipher).decode("ascii")


def unseal(vault_key: str, token: str, sealed: str) -> str:
    """The clear text of a sealed value; a wrong key or an edited value raises IntegrityError."""
    raw = base64.b64decode(sealed)
    try:
        return AESGCM(bytes.fromhex(vault_key)).decrypt(raw[:12], raw[12:], token.encode()).decode()
    except InvalidTag:
        raise IntegrityError(
            "a vault entry does not decrypt: wrong vault key or edited entry", where="silver.pii_vault"
        ) from None
