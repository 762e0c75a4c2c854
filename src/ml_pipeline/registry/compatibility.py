"""What made a model file, as its manifest tells, and whether the libraries here may read it."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from ml_pipeline.registry.model_files import ModelRefused, versions
from ml_pipeline.storage import MANIFEST

if TYPE_CHECKING:
    from ml_pipeline.storage import Place

# scikit-learn promises nothing between its versions: a model may load and predict something else.
REFUSED = "scikit-learn"
TOLD = ("numpy", "pandas", "scipy", "skops")


class OtherVersionsWarning(UserWarning):
    """A model was made with other versions of libraries that rarely matter, or nothing tells."""


def read_manifest(file: Place) -> dict[str, Any]:
    """Return the manifest beside a model file, empty where there is none.

    Raises
    ------
    ModelRefused
        When it cannot be read.
    """
    place = file.parent / MANIFEST
    try:
        manifest: dict[str, Any] = dict(json.loads(place.read_text(encoding="utf-8")))
        dict(manifest.get("versions", {}))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise ModelRefused(
            f"{place}: is no manifest: {error}. Restore it, or train again"
        ) from error
    return manifest


def check_versions(file: Place, manifest: dict[str, Any]) -> None:
    """Hold the versions that made a model against those that are installed.

    Parameters
    ----------
    file
        The model file, for messages.
    manifest
        Its `versions` name each library's; what it does not name counts as unknown.

    Raises
    ------
    ModelRefused
        When scikit-learn is another one.

    Warns
    -----
    OtherVersionsWarning
        When NumPy, pandas, SciPy or skops is another one, or nothing tells.
    """
    made_with, here = dict(manifest.get("versions", {})), versions()
    known = made_with.get(REFUSED)
    if known is None:
        _warn(f"{file}: no {MANIFEST} beside it tells which versions made it")
        return
    if known != here[REFUSED]:
        raise ModelRefused(
            f"{file}: was made with {REFUSED} {known}, here is {here[REFUSED]}. Train again, or "
            f"load it where that version is installed: pip install {REFUSED}=={known}"
        )
    others = [name for name in TOLD if made_with.get(name) != here[name]]
    if others:
        pairs = ", ".join(f"{name} {made_with.get(name)} (here {here[name]})" for name in others)
        _warn(f"{file}: was made with {pairs}. Compare some predictions, or train again")


def _warn(message: str) -> None:
    warnings.warn(message, OtherVersionsWarning, stacklevel=4)
