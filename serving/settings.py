"""Settings of the API: one frozen object, read once at the start and passed in."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import ConfigRefusedError
from serving.operational import default_url

SHORTEST_KEY = 32


class ServingSettings(BaseSettings):
    """Every setting of the API with a safe default; the environment (`CDP_SERVING__*`) overrides a default."""

    model_config = SettingsConfigDict(env_prefix="CDP_SERVING__", frozen=True, extra="forbid", populate_by_name=True)

    home: Path = Field(
        Path("data"),
        validation_alias="CDP_HOME",
        description="CDP_HOME: where CURRENT, snapshots, keys and the operational store lie",
    )
    identity_key: SecretStr | None = Field(
        None,
        validation_alias="CDP_IDENTITY_KEY",
        description="The lake's identity key; without it `keys/identity.key` of the home is read",
    )
    keys_dir: Path | None = Field(None, description="Folder of identity.key; default: `keys` under the home")
    operational_url: str | None = Field(None, description="SQLAlchemy URL of the operational store; default: SQLite")
    max_body_bytes: int = Field(65_536, ge=1_024, description="Longest request body")
    max_lookups: int = Field(100, ge=1, le=1_000, description="Identifiers in one look-up")
    rate_per_minute: int = Field(
        6_000, ge=1, description="Requests per minute and key, unless the key has its own limit"
    )
    failures_per_minute: int = Field(30, ge=1, description="Refused keys per minute and address")
    smallest_group: int = Field(10, ge=2, description="Groups of fewer people are counted as `<n` and not sampled")

    @field_validator("identity_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"the identity key is shorter than {SHORTEST_KEY} characters")
        return value

    @property
    def store_url(self) -> str:
        """Where API keys are kept."""
        return self.operational_url or default_url(self.home)


def find_identity_key(settings: ServingSettings) -> str | None:
    """The identity key of the settings, else of `keys/identity.key`; None when there is neither.

    An empty or short key file raises ConfigRefusedError.
    """
    if settings.identity_key is not None:
        return settings.identity_key.get_secret_value()
    path = (settings.keys_dir or settings.home / "keys") / "identity.key"
    if not path.is_file():
        return None
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < SHORTEST_KEY:
        raise ConfigRefusedError(
            f"the identity key is shorter than {SHORTEST_KEY} characters",
            where=str(path),
            hint="restore the key from your backup; `cdp init` makes one for a new lake",
        )
    return key
