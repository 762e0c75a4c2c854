"""What a configuration may say, and the one line that answers what it may not."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ml_pipeline.config import MODELS, ProblemConfig, load
from ml_pipeline.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "config" / "breast_cancer.yaml"


def minimal(**sections):
    tree = {"data": {"path": "rows.csv"}, "target": {"column": "y", "positive": "yes"}}
    return tree | sections


def fault(tree, source="/x/wine.yaml"):
    with pytest.raises(ConfigError) as caught:
        ProblemConfig.validated(tree, Path(source))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{source}: ")
    return message.removeprefix(f"{source}: ")


def test_the_shipped_configuration_describes_the_breast_cancer_data():
    config = load(SHIPPED)

    assert config.name == "breast_cancer"
    assert Path(config.data_location) == SHIPPED.parents[1] / "data" / "wdbc.data"
    assert len(config.data.columns) == 32
    assert (config.target.column, config.target.positive) == ("diagnosis", "M")
    assert config.selection.plan == (10, 3, 3, 1)


def test_defaults_fill_what_a_minimal_configuration_leaves_out():
    config = ProblemConfig.validated(minimal(), Path("/x/wine.yaml"))

    assert [one.name for one in config.candidates] == list(MODELS)
    assert (config.selection.metric, config.selection.protocol) == ("roc_auc", "standard")
    assert config.split.test_size == 0.2
    assert config.schedule is None
    assert config.data.header is None


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"split": {"test_size": 2}}, "split.test_size: Got 2. Must be less than or equal to 0.5"),
        ({"split": {"test_size": "0.2"}}, "split.test_size: Got '0.2'. Must be a valid number"),
        ({"split": {"test_size": True}}, "split.test_size: Got True. Must be a valid number"),
        ({"split": {"random_state": 1.5}}, "split.random_state: Got 1.5. Must be a valid integer"),
        ({"split": {"random_state": -1}}, "split.random_state: Got -1. Must be greater than"),
        ({"split": {"random_state": 2**32}}, "split.random_state: Got 4294967296. Must be less"),
        ({"selection": {"folds": 1}}, "selection.folds: Got 1. Must be greater"),
        ({"selection": "quick"}, "selection: Got 'quick'. Must be a section with keys and values"),
        (
            {"selection": {"metric": "auc"}},
            "selection.metric: Got 'auc'. Must be one of ",
        ),
        ({"selection": {"row_caps": {"svc": 1}}}, "selection.row_caps.svc: Got 1. Must be greater"),
        (
            {"selection": {"threshold": {"maximise": "recall", "maximize": "recall"}}},
            "selection.threshold.maximise: unknown key. Must be one of maximize, at_least. Did you",
        ),
        (
            {"selection": {"threshold": {"maximize": "recall", "at_least": {"specificity": 2}}}},
            "selection.threshold.at_least.specificity: Got 2. Must be less than or equal to 1",
        ),
        ({"candidates": []}, "candidates: Got []. List must have at least 1 item"),
        ({"candidates": ["svc", "svc"]}, "`candidates` names 'svc' more than once"),
        (
            {"candidates": ["xgb"]},
            "candidates.0: Got the name 'xgb'. Must be one of logistic_regression, svc, ",
        ),
        (
            {"candidates": [{"name": "x", "estimator": "os.system"}]},
            "candidates.0: Got the estimator 'os.system'. Must be one of sklearn.",
        ),
        (
            {"candidates": [{"name": "svc", "paramters": {}}]},
            "candidates.0.paramters: unknown key. Must be one of name, estimator, ",
        ),
        (
            {"candidates": [{"name": "svc", "parameters": {"random_state": 1}}]},
            "candidates.0: `random_state` belongs to `split`",
        ),
        (
            {"candidates": [{"name": "svc", "grid": {"class_weight": ["balanced"]}}]},
            "candidates.0: `class_weight` belongs to `selection`",
        ),
        ({"candidates": [{"name": "svc", "grid": {"C": []}}]}, "candidates.0.grid.C: Got []. List"),
        ({"model": {"name": "svc"}}, "model: this key is gone. Write `candidates: [{name: "),
        ({"cross_validation": {}}, "cross_validation: this key is gone. Write `selection: {folds"),
        ({"schedule": "daily"}, "schedule: Got 'daily'. Must be null, five cron fields or one of"),
        ({"schedule": "* * *"}, "schedule: Got '* * *'. Must be null, five cron fields"),
        ({"schedule": "* * * * * *"}, "schedule: Got '* * * * * *'. Must be null, five cron"),
        ({"schedule": "99 6 * * *"}, "schedule: Got '99 6 * * *'. Must be a cron expression that"),
        ({"schedule": "0 6 31 2 *"}, "schedule: Got '0 6 31 2 *'. Must be a cron expression that"),
        ({"splits": {}}, "splits: unknown key. Must be one of description, data, target, prep"),
        ({"split": {"seed": 1}}, "split.seed: unknown key. Must be one of test_size, random_state"),
        ({"storage": {"results": ""}}, "storage.results: Got ''. String must have at least 1"),
        ({"target": {"positive": "M"}}, "target.column: missing, must be given"),
        (
            {"preprocessing": {"imputation": {"numeric": "zero"}}},
            "preprocessing.imputation.numeric: Got 'zero'. Must be one of 'median', 'mean', ",
        ),
        ({"preprocessing": {"clip_outliers": 1}}, "preprocessing.clip_outliers: Got 1. Must be"),
        (
            {"preprocessing": {"imputation": {"numbers": "mean"}}},
            "preprocessing.imputation.numbers: unknown key. Must be one of numeric, categorical",
        ),
    ],
)
def test_a_wrong_value_is_answered_with_its_field_and_what_is_allowed(section, message):
    assert fault(minimal(**section)).startswith(message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "data.path: missing, must be given"),
        ({"pth": "x"}, "data.pth: unknown key. Must be one of path, format, delimiter"),
        ({"path": "x", "delimiter": ";;"}, "data.delimiter: Got ';;'. String must have at most 1"),
        ({"path": "x", "header": "no"}, "data.header: Got 'no'. Must be a valid boolean"),
        (
            {"path": "x", "header": True, "columns": ["y"]},
            "data: give `columns` only when `header` is false",
        ),
        ({"path": "x", "format": "xlsx"}, "data.format: Got 'xlsx'. Must be one of 'auto', 'csv'"),
        ({"path": "x", "encoding": "utf-9"}, "data.encoding: Got 'utf-9'. Must be an encoding"),
        ({"path": "x", "ids": ["a"], "dates": ["a"]}, "data: 'a' stands in `ids` and in `dates`"),
        (
            {"path": "x", "exclude": ["a"], "group": "a"},
            "data: `group` 'a' also stands in `exclude`",
        ),
        ({"path": "x", "numeric": ["y"]}, "`target.column` 'y' also stands in `data.numeric`"),
        ({"path": "x", "ids": "id"}, "data.ids: Got 'id'. Must be a valid list"),
        (
            {"path": "x", "header": False, "columns": ["y", "a", "a"]},
            "data: `columns` names 'a' more than once",
        ),
        (
            {"path": "x", "header": False, "columns": ["y", "a"], "ids": ["b"]},
            "data: `ids` names 'b', which `columns` does not",
        ),
        (
            {"path": "x", "header": False, "columns": ["y", "a"], "exclude": ["b"]},
            "data: `exclude` names 'b', which `columns` does not",
        ),
        (
            {"path": "x", "header": False, "columns": ["a", "b"]},
            "`target.column` is 'y', which `data.columns` does not name",
        ),
        ({"path": "x", "ids": ["y"]}, "`target.column` 'y' also stands in `data.ids`"),
    ],
)
def test_a_wrong_data_section_is_answered_with_what_does_not_fit(data, message):
    assert fault(minimal(data=data)).startswith(message)


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant():
    assert fault(minimal(splitt={})).endswith("Did you mean 'split'?")


def test_several_faults_are_counted_and_the_first_is_described():
    message = fault(minimal(split={"test_size": 2, "random_state": -1}))

    assert message.startswith("split.test_size: Got 2.")
    assert message.endswith("(and 1 more)")


def test_a_configuration_that_is_no_mapping_is_refused():
    assert fault([1, 2]) == "must be a section with keys and values"


@pytest.mark.parametrize("label", [1, "1"])
def test_a_numeric_label_means_its_text(label):
    tree = minimal(target={"column": "y", "positive": label})

    assert ProblemConfig.validated(tree, Path("/x/wine.yaml")).target.positive == "1"


def test_an_unquoted_yes_is_answered_with_what_yaml_makes_of_it():
    tree = minimal(target=yaml.safe_load("{column: y, positive: yes}"))

    assert fault(tree) == (
        "target.positive: Got True. YAML reads this as True; put the label in quotes"
    )


@pytest.mark.parametrize("schedule", [None, "@daily", "0 6 * * *", "*/5 0-3 1,15 * MON"])
def test_a_schedule_may_be_absent_a_preset_or_cron(schedule):
    assert ProblemConfig.validated(minimal(schedule=schedule), Path("w.yaml")).schedule == schedule


@pytest.mark.parametrize("folder", ["a folder", "Übung", "x" * 120])
def test_relative_paths_start_from_the_yaml_whatever_its_folder_is_called(tmp_path, folder):
    config = ProblemConfig.validated(minimal(), tmp_path / folder / "wine.yaml")

    assert config.data_location == str(tmp_path / folder / "rows.csv")


def test_a_url_stays_as_it_is():
    tree = minimal(data={"path": "s3://bucket/rows.csv"})

    assert ProblemConfig.validated(tree, Path("w.yaml")).data_location == "s3://bucket/rows.csv"


def test_params_win_over_the_file_and_leave_it_unchanged():
    config = load(SHIPPED)

    other = config.with_params(random_state=7, test_size=0.3, model="svc")

    assert (other.split.random_state, other.split.test_size) == (7, 0.3)
    assert [one.name for one in other.candidates] == ["svc"]
    assert (other.name, other.data_location) == (config.name, config.data_location)
    assert (config.split.random_state, len(config.candidates)) == (42, 5)


def test_params_that_are_not_given_change_nothing():
    config = load(SHIPPED)

    assert config.with_params() == config


def test_a_model_named_at_trigger_time_remains_alone_with_its_parameters():
    tree = minimal(candidates=["random_forest", {"name": "svc", "parameters": {"C": 3}}])
    config = ProblemConfig.validated(tree, Path("w.yaml"))

    (alone,) = config.with_params(model="svc").candidates

    assert (alone.name, alone.parameters) == ("svc", {"C": 3})


def test_a_protocol_gives_folds_and_repeats_unless_they_are_given():
    def plan(**selection):
        return ProblemConfig.validated(minimal(selection=selection), Path("w.yaml")).selection.plan

    assert plan(protocol="quick") == (3, 1, 0, 0)
    assert plan(protocol="full") == (10, 10, 5, 3)
    assert plan(folds=5) == (5, 3, 3, 1)
    assert plan(protocol="full", repeats=2) == (10, 2, 5, 2)


@pytest.mark.parametrize("param", [{"model": "xgb"}, {"test_size": 0.9}, {"random_state": True}])
def test_a_param_that_is_not_allowed_is_refused_like_a_value_in_the_file(param):
    with pytest.raises(ConfigError, match=r"Got .*\. Must be"):
        load(SHIPPED).with_params(**param)


def test_the_json_schema_carries_the_bounds_for_a_form():
    split = ProblemConfig.model_json_schema()["$defs"]["Split"]["properties"]

    assert (split["test_size"]["minimum"], split["test_size"]["maximum"]) == (0.05, 0.5)
    assert split["random_state"]["maximum"] == 2**32 - 1


def test_a_configuration_survives_a_copy():
    config = load(SHIPPED)

    assert copy.deepcopy(config).data_location == config.data_location


def test_importing_and_loading_needs_neither_pandas_nor_scikit_learn():
    program = (
        "import sys; from ml_pipeline.config import load; load(sys.argv[1]); "
        "print({'pandas', 'numpy', 'sklearn', 'scipy', 'pyarrow'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(SHIPPED)]

    assert subprocess.run(command, capture_output=True, text=True).stdout == "set()\n"


def test_every_model_of_the_allow_list_is_accepted():
    for name in MODELS:
        tree = minimal(candidates=[name])
        assert ProblemConfig.validated(tree, Path("w.yaml")).candidates[0].name == name
