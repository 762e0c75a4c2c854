"""What a backup says about itself: versions, migration heads, and each member's checksum."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

from packaging.version import Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ml_pipeline.errors import PipelineError
from ml_pipeline.ops.postgres.provisioning import OWNERS

DUMPS = {database: f"{database}.dump" for database in OWNERS}
# Without the first, encrypted connections are unreadable; the second is the password that people
# know. What else is secret (database passwords, signing keys) every clone makes for itself, so
# that who steals a backup cannot sign tokens for a stack that runs.
SECRETS = {name: f"secrets/{name}" for name in ("fernet_key", "admin_password")}
# Who owns the tables: an older one does not understand what a newer one has migrated.
MIGRATING_PACKAGES = ("apache-airflow", "apache-airflow-providers-fab", "mlflow-skinny")


class BackupError(PipelineError):
    """A backup cannot be written, read or restored."""


class Part(BaseModel):
    """A part of the manifest: unknown keys and silent type conversions are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(Part):
    """One file in the archive."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def _known(name: str) -> str:
    if name not in (*DUMPS.values(), *SECRETS.values()):
        raise ValueError(f"{name!r} is no member of a backup")
    return name


MemberName = Annotated[str, AfterValidator(_known)]


class Manifest(Part):
    """The archive's `manifest.json`.

    Parameters
    ----------
    server_version
        Of the PostgreSQL server that was backed up, such as "18.4".
    dump_major
        Of the `pg_dump` that was used: no older `pg_restore` reads what it wrote.
    packages
        Versions of those that migrate tables.
    migration_heads
        Each database's revisions, by the table that holds them.
    members
        By name in the archive.
    """

    format: Literal[1] = 1
    created_at: datetime
    server_version: str = Field(pattern=r"^\d+(\.\d+)?")
    dump_major: int
    packages: dict[str, str]
    migration_heads: dict[str, str]
    members: dict[MemberName, Member]

    @property
    def server_major(self) -> int:
        """The server's major version."""
        return int(self.server_version.split(".")[0])

    @property
    def databases(self) -> list[str]:
        """The names of the databases that it holds."""
        return [database for database, member in DUMPS.items() if member in self.members]

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets that it holds."""
        return [secret for secret, member in SECRETS.items() if member in self.members]


def installed_packages() -> dict[str, str]:
    """Return the versions of the packages that migrate tables and are installed."""
    found = {}
    for package in MIGRATING_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def require_restorable(manifest: Manifest, server_major: int, installed: Mapping[str, str]) -> None:
    """Return when this clone understands what the backup holds.

    Raises
    ------
    BackupError
        When it was made by something newer than what is here.
    """
    if manifest.server_major > server_major:
        raise BackupError(
            f"The backup was made on PostgreSQL {manifest.server_major}, and the server here is "
            f"PostgreSQL {server_major}: a dump restores into the same or a newer one. Restore it "
            f"where PostgreSQL {manifest.server_major} or newer runs."
        )
    for package, made_with in manifest.packages.items():
        here = installed.get(package)
        if here and Version(made_with) > Version(here):
            raise BackupError(
                f"The backup was made with {package} {made_with}, and {here} is installed here, "
                "which does not understand newer tables. Update this clone first (git pull), then "
                "restore."
            )
