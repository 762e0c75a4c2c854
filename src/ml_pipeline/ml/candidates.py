"""The estimators on offer: how each is made from its name or path, and which is the simpler."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from ml_pipeline.config.selection import ESTIMATORS, Candidate
from ml_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from ml_pipeline.config import ProblemConfig


@dataclass(frozen=True)
class Recipe:
    """How an estimator is made.

    Parameters
    ----------
    path
        Where it is imported from; one of `ESTIMATORS`.
    defaults
        What differs from scikit-learn's own.
    """

    path: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def estimator(self) -> type[BaseEstimator]:
        """The class itself."""
        module, name = self.path.rsplit(".", 1)
        found: type[BaseEstimator] = getattr(import_module(module), name)
        return found

    @property
    def is_scaled(self) -> bool:
        """Whether features are scaled before it: trees and Bayes do not mind."""
        return self.path.rsplit(".", 1)[0] not in UNSCALED

    @property
    def is_dense(self) -> bool:
        """Whether it refuses sparse features."""
        return self.path.rsplit(".", 1)[1] in DENSE

    @property
    def simplicity(self) -> int:
        """Its place in the order of simplicity; 0 is the simplest."""
        return ESTIMATORS.index(self.path)


UNSCALED = ("sklearn.dummy", "sklearn.naive_bayes", "sklearn.tree", "sklearn.ensemble")
DENSE = (
    "GaussianNB",
    "HistGradientBoostingClassifier",
    "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis",
)

RECIPES: Mapping[str, Recipe] = {
    "logistic_regression": Recipe("sklearn.linear_model.LogisticRegression", {"max_iter": 1000}),
    "svc": Recipe("sklearn.svm.SVC", {"C": 10, "gamma": 0.01}),
    "random_forest": Recipe("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 200}),
    "hist_gradient_boosting": Recipe("sklearn.ensemble.HistGradientBoostingClassifier"),
    "k_nearest_neighbors": Recipe("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 9}),
}


def recipe_of(candidate: Candidate) -> Recipe:
    """Return the recipe of a candidate, by its name or by its import path."""
    return RECIPES[candidate.name] if candidate.estimator is None else Recipe(candidate.estimator)


def build_estimator(candidate: Candidate, config: ProblemConfig) -> BaseEstimator:
    """Return the candidate's estimator, unfitted, with the problem's seed and class weights.

    Raises
    ------
    ConfigError
        When it has no parameter of a given name.
    """
    recipe = recipe_of(candidate)
    known = inspect.signature(recipe.estimator).parameters
    for name in {**candidate.parameters, **candidate.grid}:
        if name not in known:
            raise ConfigError(
                f"{config.source}: parameters of {candidate.name}: Got {name!r}. "
                f"Must be one of {', '.join(sorted(known))}"
            )
    common = {
        "random_state": config.split.random_state,
        "class_weight": config.selection.class_weight,
    }
    shared = {name: value for name, value in common.items() if name in known}
    return recipe.estimator(**{**recipe.defaults, **candidate.parameters, **shared})


def simplicity(candidate: Candidate) -> int:
    """Return the candidate's place in the order of simplicity; 0 is the simplest."""
    return recipe_of(candidate).simplicity


def gives_probabilities(estimator: BaseEstimator) -> bool:
    """Tell whether an unfitted estimator has `predict_proba`; an SVC's own is deprecated."""
    return hasattr(estimator, "predict_proba")
