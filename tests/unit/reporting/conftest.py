"""Runs to report on: one with two labels, one with three."""

from __future__ import annotations

import pytest

from .outcome import outcome

TWO = ["benign", "malignant"]
THREE = ["_ham", "eggs", "spam"]


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """Return evaluation, document and configuration of a problem with two labels."""
    card = {"intended_use": "To be tested.", "limits": ["It is no medical device."]}
    return outcome(TWO, tmp_path_factory.mktemp("two"), card=card)


@pytest.fixture(scope="session")
def three(tmp_path_factory):
    """Return the same of a problem with three, one of which a legend would leave out."""
    return outcome(THREE, tmp_path_factory.mktemp("three"))
