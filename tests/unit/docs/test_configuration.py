"""docs/configuration.md names every field of a problem and every variable, with its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ml_pipeline.config import MODELS, ProblemConfig
from ml_pipeline.config.selection import ESTIMATORS
from ml_pipeline.ml.candidates import RECIPES

from .documents import document, rows, tracked_files

REFERENCE = document("docs/configuration.md")
VARIABLE = re.compile(r"ML_PIPELINE_[A-Z_]*[A-Z]")
TABLES = [row for row in rows(REFERENCE.prose) if row]
OF_TESTS = {"tests", "benchmarks"}
EXAMPLE = ".env.example"


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every field that holds a value, by its dotted name."""
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from fields(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


FIELDS = dict(fields(ProblemConfig))


def documented(pattern: str) -> dict[str, list[str]]:
    """Return the rows whose first cell is a name of that form."""
    found = [(re.fullmatch(f"`({pattern})`", row[0]), row) for row in TABLES]
    return {match[1]: row for match, row in found if match}


def variables() -> set[str]:
    """Return the variables that the code and the scripts name."""
    return {
        name
        for path in tracked_files()
        if path.suffix in {".py", ".sh", ".conf", ".cfg"} or path.name == EXAMPLE
        if OF_TESTS.isdisjoint(path.parts)
        for name in VARIABLE.findall(path.read_text(encoding="utf-8"))
    }


def test_every_field_is_documented_and_every_documented_one_exists() -> None:
    described = [row[0].strip("`") for row in TABLES if len(row) == 4 and row[0].strip("`")]
    assert [name for name in described if name in FIELDS] == list(FIELDS)
    assert {name for name in described if "." in name} <= set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_documented_default_is_the_real_one(name: str) -> None:
    field, cell = FIELDS[name], documented(re.escape(name))[name][3]
    if field.is_required():
        assert cell == "required"
        return
    default = MODELS if name == "candidates" else field.default
    assert cell.startswith(f"`{json.dumps(default)}`"), cell


@pytest.mark.parametrize("name", FIELDS)
def test_documented_bounds_are_the_real_ones(name: str) -> None:
    limits = {
        kind: getattr(limit, kind)
        for limit in FIELDS[name].metadata
        for kind in ("ge", "le")
        if hasattr(limit, kind)
    }
    if limits:
        allowed = documented(re.escape(name))[name][2]
        assert allowed == f"{limits['ge']} to {limits['le']}"


def test_every_model_is_documented_with_what_differs_from_its_defaults() -> None:
    described = documented("|".join(MODELS))
    assert list(described) == list(MODELS)
    for name, recipe in RECIPES.items():
        _, estimator, defaults, before = described[name]
        assert f"`{recipe.estimator.__name__}`" in estimator
        assert defaults == ", ".join(f"`{key}: {value}`" for key, value in recipe.defaults.items())
        assert bool(before) is recipe.is_scaled


def test_every_estimator_is_documented_in_the_order_of_simplicity() -> None:
    listed = re.findall(r"^(\d+)\. `(sklearn\.[\w.]+)`$", REFERENCE.text, re.MULTILINE)
    assert [int(number) for number, _ in listed] == list(range(1, len(ESTIMATORS) + 1))
    assert tuple(path for _, path in listed) == ESTIMATORS


def test_every_variable_is_documented_and_every_documented_one_exists() -> None:
    assert set(documented(VARIABLE.pattern)) == variables()


def test_variables_of_the_tests_stand_in_the_page_on_testing() -> None:
    own = {"ML_PIPELINE_SCREENSHOTS", "ML_PIPELINE_STRICT_SKIPS"}
    assert own <= set(VARIABLE.findall(document("docs/testing.md").text))
