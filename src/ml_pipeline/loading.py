"""`ml_pipeline.load_model`: from what a caller names to a model that a record vouches for."""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ml_pipeline import model_registry
from ml_pipeline.config import load
from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops.postgres import lending, provisioning
from ml_pipeline.ops.postgres.tables import rows
from ml_pipeline.ops.project import Project
from ml_pipeline.registry import compatibility, model_files
from ml_pipeline.registry.model_files import MODEL_JOBLIB, MODEL_SKOPS, ModelRefused
from ml_pipeline.registry.versions import ALIASES
from ml_pipeline.storage import LATEST, results_root

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ml_pipeline.storage import Place

Format: TypeAlias = Literal["skops", "joblib"]
FILES = {"skops": MODEL_SKOPS, "joblib": MODEL_JOBLIB}
LOADERS = {"skops": model_files.load_model, "joblib": model_files.load_joblib}
SHA256 = re.compile(r"[0-9a-f]{64}")
RECORDED = "SELECT dag_id, sha256, joblib_sha256 FROM models WHERE uri = %s"
WITHOUT_DATABASE = "Who has no database passes expected_sha256="


class Recorded(NamedTuple):
    """A row of the table `models`."""

    dag_id: str
    skops: str
    joblib: str


def load_model(
    path: str | PathLike[str],
    *,
    format: Format = "skops",
    expected_sha256: str | None = None,
    problem: str | None = None,
) -> Pipeline:
    """Load a run's model, if it is the recorded one and these libraries may read it.

    The file's SHA-256 has to be the one that the run recorded in `results_db`; where the stack is
    down, its database is started for the question and stopped again. A file that holds a type
    unknown to the code is not loaded. Another scikit-learn than the one that made the file is
    refused; another NumPy, pandas, SciPy or skops is a warning.

    Parameters
    ----------
    path
        A run's folder, `results/latest`, or the model file in it; a path or a URL. Or `champion`
        or `challenger`: the version that bears this alias in the model registry.
    format
        `joblib` loads the pickle beside the skops file, which may run whatever it was made to run:
        only its checksum speaks for it.
    expected_sha256
        The file's checksum from a place that you trust, in place of the database's record.
    problem
        Whose champion, where several problems have one: the name of its YAML file.

    Returns
    -------
    Pipeline
        The fitted scikit-learn Pipeline, from validated features to labels.

    Raises
    ------
    ModelRefused
        When the file is missing, changed, not on record, of an unknown type or of another
        scikit-learn.
    RegistryError
        When no version bears the alias.
    DatabaseError
        When the record cannot be read.

    Examples
    --------
    >>> model = load_model("results/latest")
    >>> model.predict_proba(features).shape  # a row each, a column per class
    (60, 2)
    """
    _check_arguments(format, expected_sha256)
    file = find_file(_run_of(str(path), problem) if path in ALIASES else path, format)
    try:
        manifest = compatibility.read_manifest(file)
        compatibility.check_versions(file, manifest)
        checksum = expected_sha256 or recorded_checksum(file, manifest, format)
        return LOADERS[format](file, checksum.lower())
    except OSError as error:
        raise ModelRefused(f"{file}: cannot be read: {error.strerror or error}") from error


def find_file(path: str | PathLike[str] | Place, format: Format) -> Place:
    """Return the model file that a path or URL to it, to its run's folder or to `latest` means.

    Raises
    ------
    ModelRefused
        When there is none, or it is of the other format.
    """
    place = _place(path)
    wanted = FILES[format]
    if place.suffix not in (".skops", ".joblib") or place.is_dir():
        file = _run_folder(place) / wanted
    else:
        file = _run_folder(place.parent) / place.name
    if file.suffix != f".{format}":
        hint = 'A joblib file may run code: if that is meant, pass format="joblib"'
        hint = hint if format == "skops" else f"For format='joblib' name {MODEL_JOBLIB}"
        raise ModelRefused(f"{file}: is no {format} file. {hint}")
    if not file.exists():
        raise ModelRefused(
            f"{file}: no such model file. Name a run's folder, such as results/latest"
        )
    return file


def recorded_checksum(file: Place, manifest: dict[str, object], format: Format) -> str:
    """Return the SHA-256 that the run recorded of its model file in this clone's `results_db`.

    A record is found by the file's place, `<run>/model.skops`: another run's model in this run's
    folder is not what was recorded of it.

    Raises
    ------
    ModelRefused
        When there is no record.
    DatabaseError
        When the database cannot be asked.
    """
    uri = f"{file.parent.name}/{MODEL_SKOPS}"
    try:
        found = _records(uri)
    except DatabaseError as error:
        reason = str(error).rstrip(".")
        raise DatabaseError(
            f"{file}: the record of its checksum cannot be read: {reason}. {WITHOUT_DATABASE}"
        ) from error
    # Two DAGs may have runs of one id, each below a results root of its own.
    own = [one for one in found if len(found) == 1 or one.dag_id == manifest.get("dag_id")]
    if not own:
        raise ModelRefused(_no_record(file, uri, manifest))
    return str(getattr(own[0], format))


def _run_of(alias: str, problem: str | None) -> Place:
    """Return the folder of the run that trained the version with an alias."""
    version = model_registry.aliased(alias, problem)
    config = load(Project.here().root / "config" / f"{version.problem}.yaml")
    return results_root(config) / version.fact("uri").split("/")[0]


def _check_arguments(format: str, expected_sha256: str | None) -> None:
    if format not in FILES:
        raise ModelRefused(f"format: Got {format!r}. Must be one of 'skops', 'joblib'")
    if expected_sha256 is not None and not SHA256.fullmatch(expected_sha256.lower()):
        raise ModelRefused(
            f"expected_sha256: Got {expected_sha256!r}. Must be 64 hexadecimal digits, "
            "as sha256sum prints them"
        )


def _place(path: str | PathLike[str] | Place) -> Place:
    from upath import UPath

    if str(path).startswith("file:"):
        return Path(url2pathname(urlsplit(str(path)).path))
    try:
        place = UPath(path)
    except (ValueError, ImportError) as error:
        raise ModelRefused(f"{path}: {error}") from error
    return Path(place.path).expanduser() if place.protocol in ("", "file", "local") else place


def _run_folder(folder: Place) -> Place:
    """Return the folder under its own name where `latest` or another link leads to it."""
    if isinstance(folder, Path):
        return folder.resolve()
    pointer = folder.parent / f"{LATEST}.json"
    if folder.name == LATEST and pointer.exists():
        return folder.parent / str(json.loads(pointer.read_text())["run"])
    return folder


def _records(uri: str) -> list[Recorded]:
    project = Project.here()
    with lending.lent(project):
        url = provisioning.owner_urls(project)["results_db"]
        return [Recorded(*row) for row in rows(url, "models", RECORDED, (uri,))]


def _no_record(file: Place, uri: str, manifest: dict[str, object]) -> str:
    if manifest and manifest.get("dag_id") is None:
        return (
            f"{file}: `ml-pipeline run` made it, which records nothing in results_db. "
            "Pass the checksum that it printed as expected_sha256=, or run the DAG"
        )
    return (
        f"{file}: results_db has no record of {uri}. Load it from its run's own folder and by the "
        f"clone that trained it. {WITHOUT_DATABASE}"
    )
