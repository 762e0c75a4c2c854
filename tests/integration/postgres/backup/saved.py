"""What the tests of backup and restore write, read again and alter."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ml_pipeline.ops import secrets
from ml_pipeline.ops.project import Project
from tests.integration.postgres.conftest import query, secret, superuser_url

KEY = "q2cxTvvMJQ0yYSQOkFqkqbQ9Jp5qzJ9o0cJcV6oYk3g="
DATABASES = {"airflow_db", "mlflow_db", "results_db"}


def begin(project: Project) -> None:
    """Forget what an earlier test has written to a running clone."""
    for name in ("sql_alchemy_conn", "results_db_url"):
        query(secret(project, name), "DROP TABLE IF EXISTS note")
        query(secret(project, name), "CREATE TABLE note (text text)")
    remember(project, "before")


def remember(project: Project, text: str) -> None:
    """Write a row to a running clone's databases, and secrets beside it."""
    for name in ("sql_alchemy_conn", "results_db_url"):
        query(secret(project, name), f"INSERT INTO note VALUES ('{text}')")
    secrets.write(project.secrets, "fernet_key", KEY)
    secrets.write(project.secrets, "admin_password", f"password of {text}")


def remembered(project: Project) -> list[str]:
    """Return what was written to a running clone's databases, and the secret."""
    notes = [
        query(secret(project, name), "SELECT text FROM note")
        for name in ("sql_alchemy_conn", "results_db_url")
    ]
    assert notes[0] == notes[1]
    return [row[0] for row in notes[0]] + [secret(project, "admin_password")]


def databases(project: Project) -> set[str]:
    rows = query(superuser_url(project), "SELECT datname FROM pg_database WHERE datname ~ '_'")
    return {row[0] for row in rows}


def with_dump(file: Path, database: str, change: Callable[[bytes], bytes]) -> Path:
    """Return a copy with another dump, and the checksum that fits it."""
    contents = read(file)
    name = f"{database}.dump"
    contents[name] = change(contents[name])
    member = {"bytes": len(contents[name]), "sha256": sha256(contents[name]).hexdigest()}
    manifest = json.loads(contents["manifest.json"])
    manifest["members"][name] = member
    contents["manifest.json"] = json.dumps(manifest).encode()
    return write(file.with_name("altered.zip"), contents)


def with_manifest(file: Path, **changes: object) -> Path:
    """Return a copy whose manifest says something else."""
    contents = read(file)
    manifest = {**json.loads(contents["manifest.json"]), **changes}
    contents["manifest.json"] = json.dumps(manifest).encode()
    return write(file.with_name("altered.zip"), contents)


def read(file: Path) -> dict[str, bytes]:
    """Return an archive's members."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(file: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive of these members."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file
