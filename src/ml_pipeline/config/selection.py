"""The sections `candidates` and `selection`: which models compete, and how one is chosen."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from ml_pipeline.config.section import Name, Section

ModelName = Literal[
    "logistic_regression",
    "svc",
    "random_forest",
    "hist_gradient_boosting",
    "k_nearest_neighbors",
]
MODELS: tuple[str, ...] = get_args(ModelName)

# What may be named by import path, the simplest first: the one-standard-error rule goes by this
# order. Simple means few fitted numbers that a person can read. It lives here, in the code: a path
# from a file is code that gets run.
ESTIMATORS = (
    "sklearn.dummy.DummyClassifier",
    "sklearn.naive_bayes.GaussianNB",
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.RidgeClassifier",
    "sklearn.linear_model.SGDClassifier",
    "sklearn.svm.LinearSVC",
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    "sklearn.tree.DecisionTreeClassifier",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.svm.SVC",
    "sklearn.neural_network.MLPClassifier",
    "sklearn.ensemble.ExtraTreesClassifier",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.AdaBoostClassifier",
    "sklearn.ensemble.GradientBoostingClassifier",
    "sklearn.ensemble.HistGradientBoostingClassifier",
)

Decided = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "matthews_corrcoef",
]
Metric = Literal[Decided, "roc_auc", "average_precision", "brier_score"]
METRICS: tuple[str, ...] = get_args(Metric)
CALIBRATION_FOLDS = 5
THRESHOLD_FOLDS = 5
FEWEST_PER_CLASS = 10


class Protocol(NamedTuple):
    """How often candidates are fitted.

    Parameters
    ----------
    folds, repeats
        Of the stratified cross-validation that all candidates share.
    inner_folds
        Of the choice that is repeated inside each outer fold; 0 for no nested estimate.
    outer_repeats
        Over how many of the repeats the nested estimate goes.
    """

    folds: int
    repeats: int
    inner_folds: int
    outer_repeats: int


PROTOCOLS = {
    "quick": Protocol(folds=3, repeats=1, inner_folds=0, outer_repeats=0),
    "standard": Protocol(folds=10, repeats=3, inner_folds=3, outer_repeats=1),
    "full": Protocol(folds=10, repeats=10, inner_folds=5, outer_repeats=3),
}


def _candidate(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Candidate(Section):
    """A model that competes: one of ours by name, or scikit-learn's by import path."""

    name: Name
    estimator: str | None = None
    parameters: dict[str, Any] = {}
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.estimator is None and self.name not in MODELS:
            raise ValueError(
                f"Got the name {self.name!r}. Must be one of {', '.join(MODELS)}, "
                "or have an `estimator`"
            )
        if self.estimator is not None and self.estimator not in ESTIMATORS:
            raise ValueError(
                f"Got the estimator {self.estimator!r}. Must be one of {', '.join(ESTIMATORS)}"
            )
        return self

    @model_validator(mode="after")
    def _seed_and_weights_have_one_place(self) -> Self:
        for key, place in (("random_state", "split"), ("class_weight", "selection")):
            if key in {**self.parameters, **self.grid}:
                raise ValueError(f"`{key}` belongs to `{place}`, where it counts for all")
        return self


class Threshold(Section):
    """What the threshold of the probability is chosen for, inside the folds."""

    maximize: Decided
    at_least: dict[Decided, Annotated[float, Field(ge=0, le=1)]] = {}


class Selection(Section):
    """How one of the candidates is chosen."""

    metric: Metric = "roc_auc"
    protocol: Literal["quick", "standard", "full"] = "standard"
    folds: int | None = Field(default=None, ge=2, le=50)
    repeats: int | None = Field(default=None, ge=1, le=100)
    class_weight: Literal["balanced"] | None = None
    threshold: Threshold | None = None
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    row_caps: dict[str, Annotated[int, Field(ge=100)]] = {
        "svc": 10_000,
        "k_nearest_neighbors": 50_000,
        "random_forest": 100_000,
    }

    @property
    def plan(self) -> Protocol:
        """The protocol, with `folds` and `repeats` where they are given."""
        protocol = PROTOCOLS[self.protocol]
        repeats = self.repeats or protocol.repeats
        return Protocol(
            folds=self.folds or protocol.folds,
            repeats=repeats,
            inner_folds=protocol.inner_folds,
            outer_repeats=min(protocol.outer_repeats, repeats),
        )

    def fewest_per_class(self, test_size: float) -> int:
        """Return how many rows a class needs, so that every fold at every depth has one of it."""
        plan = self.plan
        share = (1 - test_size) * (1 - 1 / plan.folds)
        if plan.inner_folds:
            share *= 1 - 1 / plan.inner_folds
        if self.threshold is not None:
            share *= 1 - 1 / THRESHOLD_FOLDS
        return max(
            FEWEST_PER_CLASS,
            math.ceil(1 / test_size),
            math.ceil(plan.folds / (1 - test_size)),
            math.ceil(CALIBRATION_FOLDS / share) + 1,
        )


Candidates = Annotated[
    list[Annotated[Candidate, BeforeValidator(_candidate)]],
    Field(min_length=1, max_length=50),
]
EVERY_MODEL = [Candidate(name=name) for name in MODELS]
