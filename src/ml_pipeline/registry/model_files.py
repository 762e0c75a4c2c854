"""Model files: written as skops and joblib with a manifest, loaded only when proven and known."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import warnings
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ml_pipeline.errors import PipelineError
from ml_pipeline.storage import MANIFEST

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ml_pipeline.storage import Place

MODEL_SKOPS = "model.skops"
MODEL_JOBLIB = "model.joblib"
LIBRARIES = ("ml-pipeline", "numpy", "pandas", "scikit-learn", "scipy", "skops")

# Types beyond skops' own defaults that our models consist of. It lives here, in the code: a list
# read from the file would let the file vouch for itself. A tree's arrays are not checked when it
# is rebuilt, so that trust rests on the recorded checksum.
TRUSTED_TYPES = (
    "ml_pipeline.ml.threshold.AimedThresholdClassifier",
    "ml_pipeline.ml.transformers.DateParts",
    "ml_pipeline.ml.transformers.QuantileClipper",
    "numpy.dtype",
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
)


class ModelRefused(PipelineError):
    """A model file is not what was recorded, or holds what this code does not trust."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a model's numbers rest on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def write_model(model: Pipeline, folder: Place) -> dict[str, str]:
    """Write `model` in both formats with their manifest, and return each file's SHA-256."""
    import joblib

    dumped = io.BytesIO()
    joblib.dump(model, dumped)
    (folder / MODEL_SKOPS).write_bytes(_skops().dumps(model))
    (folder / MODEL_JOBLIB).write_bytes(dumped.getvalue())
    manifest = write_manifest(folder)
    return {name: manifest["files"][name]["sha256"] for name in (MODEL_SKOPS, MODEL_JOBLIB)}


def write_manifest(folder: Place, **facts: Any) -> dict[str, Any]:
    """Write, last, the manifest of all files in `folder`: bytes, SHA-256, versions, `facts`."""
    names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST)
    files = {name: _fingerprint((folder / name).read_bytes()) for name in names}
    manifest = {**facts, "versions": versions(), "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def sha256(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def read_recorded(file: Place, expected_sha256: str) -> bytes:
    """Return the file's content, or raise ModelRefused when it is not what was recorded."""
    try:
        content: bytes = file.read_bytes()
    except FileNotFoundError:
        raise ModelRefused(f"{file}: no such model file. Train it again") from None
    found = sha256(content)
    if found != expected_sha256:
        raise ModelRefused(
            f"{file}: SHA-256 is {found[:12]}…, the record says {expected_sha256[:12]}…: "
            "the file was changed or replaced after training. Restore it or train again"
        )
    return content


def load_model(file: Place, expected_sha256: str) -> Pipeline:
    """Load a skops file if it is the one that was recorded and holds only trusted types.

    Parameters
    ----------
    file
        The `.skops` file.
    expected_sha256
        The checksum on record (`results_db`, or the reference that `train_model` returned);
        never one that lies beside the file.

    Raises
    ------
    ModelRefused
        When the file is missing, differs from the record, holds types that are not on the
        allow-list, or was made by another scikit-learn that this one cannot read.
    """
    skops = _skops()
    content = read_recorded(file, expected_sha256)
    try:
        unknown = sorted(set(skops.get_untrusted_types(data=content)) - set(TRUSTED_TYPES))
        if unknown:
            raise ModelRefused(
                f"{file}: holds types that are not on the allow-list: {', '.join(unknown)}. "
                "Load it only if you know who made it; the list is TRUSTED_TYPES in "
                "ml_pipeline/registry/model_files.py"
            )
        model: Pipeline = skops.loads(content, trusted=list(TRUSTED_TYPES))
    except PipelineError:
        raise
    except Exception as error:
        raise ModelRefused(f"{file}: {error}. {_remedy(file)}") from error
    return model


def load_joblib(file: Place, expected_sha256: str) -> Pipeline:
    """Load a joblib file if it is the one that was recorded.

    It is a pickle: loading it runs whatever it was made to run, so nothing but the checksum speaks
    for it.

    Parameters
    ----------
    file
        The `.joblib` file.
    expected_sha256
        As for `load_model`.

    Raises
    ------
    ModelRefused
        When the file is missing, differs from the record or cannot be read.
    """
    import joblib

    content = read_recorded(file, expected_sha256)
    try:
        model: Pipeline = joblib.load(io.BytesIO(content))
    except Exception as error:
        raise ModelRefused(f"{file}: {error}. {_remedy(file)}") from error
    return model


def _skops() -> ModuleType:
    """Import skops without a word.

    To find where SciPy's functions come from, it asks each loaded module for each of them, and
    every deprecated module of Airflow's answers with a warning: a thousand lines in a task's log.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skops import io as skops_io
    module: ModuleType = skops_io
    return module


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": sha256(content)}


def _remedy(file: Place) -> str:
    try:
        made_with = json.loads((file.parent / MANIFEST).read_text())["versions"]["scikit-learn"]
    except (OSError, ValueError, KeyError):
        made_with = "unknown"
    return (
        f"It was made with scikit-learn {made_with}, here is {version('scikit-learn')}: "
        "train again, or install that version"
    )
