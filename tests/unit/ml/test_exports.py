"""What `from ml_pipeline.ml import …` offers to a notebook: documented, and cheap until asked."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from ml_pipeline import ml

IMPORTED = "import sys, ml_pipeline.ml; print('sklearn' in sys.modules, 'pandas' in sys.modules)"


@pytest.mark.parametrize("name", ml.__all__)
def test_a_step_is_offered_and_documented_in_numpydoc_s_form(name):
    step = getattr(ml, name)

    heads = {line.split(" :")[0] for line in inspect.cleandoc(step.__doc__).splitlines()}

    assert {"Parameters", "Returns", *inspect.signature(step).parameters} <= heads


def test_the_list_is_the_table_of_where_each_stands():
    assert ml.__all__ == sorted(ml.PLACES)


def test_an_unknown_name_is_refused_as_of_any_module():
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = ml.absent


def test_importing_the_package_alone_brings_no_library_of_data():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True)

    assert done.stdout.split() == ["False", "False"], done.stderr
