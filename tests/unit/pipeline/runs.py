"""What the tests of the pipeline share: the shipped problem, and short ways to use it."""

from pathlib import Path

from ml_pipeline import pipeline

SHIPPED = Path(__file__).parents[3] / "config" / "breast_cancer.yaml"


def figures(document):
    return document["holdout"], document["cross_validation"]


def chosen(train, config):
    """Return the choice between the candidates, tried one after the other."""
    names = [one.name for one in config.candidates]
    return pipeline.select_model([pipeline.cross_validate(train, config, n) for n in names], config)
