"""What the environment of a clone holds once it is sourced."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from .shells import SCRIPT, Shell, make_clone

SECRET_FILES = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "sql_alchemy_conn",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD": "sql_alchemy_conn_async",
    "AIRFLOW__CORE__FERNET_KEY_CMD": "fernet_key",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD": "jwt_secret",
    "AIRFLOW__API__SECRET_KEY_CMD": "api_secret_key",
}
# What leads to another project's things, or lets another project's people in.
FOREIGN = [
    "AIRFLOW_CONFIG",
    "AIRFLOW_CONN_RESULTS_DB",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API_AUTH__TRUSTED_JWKS_URL",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API__SECRET_KEY_SECRET",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS",
    "AIRFLOW__CELERY__RESULT_BACKEND_CMD",
    "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH",
    "AIRFLOW__CORE__AUTH_MANAGER",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CORE__UNIT_TEST_MODE",
    "AIRFLOW__CORE__XCOM_BACKEND",
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST",
    "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_ENGINE_ARGS",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA",
    "AIRFLOW__FAB__AUTH_ROLE_PUBLIC",
    "AIRFLOW__FAB__CONFIG_FILE",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "AIRFLOW__LOGGING__REMOTE_LOGGING",
    "AIRFLOW__SECRETS__BACKEND",
    "AIRFLOW__WEBSERVER__SECRET_KEY",
    "AIRFLOW__WORKERS__SECRETS_BACKEND",
    "_AIRFLOW_SKIP_DB_TESTS",
]
TUNING = [
    "AIRFLOW__CORE__PARALLELISM",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME",
    "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    "AIRFLOW__LOGGING__LOGGING_LEVEL",
    "AIRFLOW_CONN_MY_WAREHOUSE",
    "AIRFLOW_VAR_MINE",
    "ML_PIPELINE_API_WORKERS",
]
LIBPQ = [
    "PGCHANNELBINDING",
    "PGCLIENTENCODING",
    "PGGSSENCMODE",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGREQUIREAUTH",
    "PGREQUIRESSL",
    "PGSERVICE",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGTARGETSESSIONATTRS",
]


def source(root: Path) -> str:
    return f". {shlex.quote(str(root / SCRIPT))}"


@pytest.mark.parametrize(
    "name",
    ["with spaces in it", "Köln-名-été", 'it\'s "quoted" & odd; #1', "long" + "g" * 116],
)
def test_home_lies_beside_the_file_whatever_the_path_and_the_current_folder(
    shell: Shell, tmp_path: Path, name: str
) -> None:
    clone = make_clone(tmp_path / name)
    environment = shell.environment(source(clone), "/")
    assert environment["AIRFLOW_HOME"] == f"{clone}/airflow_home"
    assert environment["ML_PIPELINE_HOME"] == str(clone)


@pytest.mark.parametrize(
    ("cwd", "path"),
    [(".", f"./{SCRIPT}"), ("inner/deep", f"../../{SCRIPT}"), ("..", f"clone/{SCRIPT}")],
)
def test_home_is_absolute_when_sourced_by_a_relative_path(
    shell: Shell, clone: Path, cwd: str, path: str
) -> None:
    (clone / "inner" / "deep").mkdir(parents=True)
    environment = shell.environment(f". {path}", clone / cwd)
    assert environment["AIRFLOW_HOME"] == f"{clone}/airflow_home"


def test_home_is_that_of_the_file_when_sourced_through_links(shell: Shell, clone: Path) -> None:
    elsewhere = clone.parent / "bin"
    elsewhere.mkdir()
    (elsewhere / "relative").symlink_to(f"../clone/{SCRIPT}")
    (elsewhere / "absolute").symlink_to(elsewhere / "relative")
    (elsewhere / "folder").symlink_to(clone)
    for path in (elsewhere / "absolute", elsewhere / "folder" / SCRIPT):
        assert shell.environment(f". {path}")["AIRFLOW_HOME"] == f"{clone}/airflow_home"


def test_sourcing_twice_changes_nothing(shell: Shell, clone: Path) -> None:
    once = shell.environment(source(clone))
    assert shell.environment(f"{source(clone)}; {source(clone)}") == once


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/usr/bin:{}/.venv/bin:/bin"])
def test_programs_of_the_clone_come_first_and_once(shell: Shell, clone: Path, path: str) -> None:
    environment = shell.environment(source(clone), PATH=path.format(clone))
    assert environment["PATH"] == f"{clone}/.venv/bin:/usr/bin:/bin"
    assert environment["VIRTUAL_ENV"] == f"{clone}/.venv"


def test_another_project_s_variables_never_survive(shell: Shell, clone: Path) -> None:
    environment = shell.environment(source(clone), **dict.fromkeys(FOREIGN, "theirs"))
    assert not [name for name, value in environment.items() if value == "theirs"]


def test_another_project_s_values_are_replaced_by_ours(shell: Shell, clone: Path) -> None:
    names = ["AIRFLOW_HOME", "ML_PIPELINE_HOME", *SECRET_FILES]
    environment = shell.environment(source(clone), **dict.fromkeys(names, "/theirs"))
    assert environment == shell.environment(source(clone))


def test_what_libpq_would_add_to_our_database_s_url_is_dropped(shell: Shell, clone: Path) -> None:
    environment = shell.environment(source(clone), **dict.fromkeys(LIBPQ, "theirs"))
    assert environment == shell.environment(source(clone))


def test_what_would_bend_or_slow_our_python_is_dropped(shell: Shell, clone: Path) -> None:
    names = ["PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"]
    result = shell.run(f"{source(clone)}; env", **dict.fromkeys(names, "theirs"))
    assert "AIRFLOW_HOME" in result.stdout
    assert "theirs" not in result.stdout


def test_tuning_of_the_caller_is_kept(shell: Shell, clone: Path) -> None:
    environment = shell.environment(source(clone), **dict.fromkeys(TUNING, "7"))
    assert [name for name in TUNING if environment.get(name) == "7"] == TUNING


def test_a_second_clone_switches_everything(shell: Shell, tmp_path: Path) -> None:
    first = make_clone(tmp_path / "first", "ML_PIPELINE_PORT=9001\nML_PIPELINE_API_WORKERS=3\n")
    second = make_clone(tmp_path / "second", "ML_PIPELINE_PORT=9002\n")
    alone = shell.environment(source(second))
    assert shell.environment(f"{source(first)}; {source(second)}") == alone


def test_no_secret_enters_the_environment(shell: Shell, clone: Path) -> None:
    secrets = clone / "airflow_home" / "secrets"
    secrets.mkdir(parents=True)
    for name in SECRET_FILES.values():
        (secrets / name).write_text("hush")
    assert not any("hush" in value for value in shell.environment(source(clone)).values())


@pytest.mark.parametrize("folder", ["a clone", "it's", 'say "x" \\ `y`'])
def test_airflow_s_commands_print_the_secrets_exactly(
    shell: Shell, tmp_path: Path, folder: str
) -> None:
    clone = make_clone(tmp_path / folder)
    secrets = clone / "airflow_home" / "secrets"
    secrets.mkdir(parents=True)
    environment = shell.environment(source(clone))
    for variable, file in SECRET_FILES.items():
        (secrets / file).write_text(f"the {file}")
        words = shlex.split(environment[variable])  # as airflow.configuration.run_command does
        printed = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert (printed.stdout, printed.stderr) == (f"the {file}", "")


def test_airflow_s_commands_say_what_to_run_when_nothing_is_set_up(
    shell: Shell, clone: Path
) -> None:
    environment = shell.environment(source(clone))
    for variable in SECRET_FILES:
        words = shlex.split(environment[variable])
        printed = subprocess.run(words, env=environment, capture_output=True, text=True)
        told = f"Not set up yet, or not readable: run {clone}/start_airflow.sh"
        assert (printed.returncode, printed.stdout) == (1, "")
        assert printed.stderr.splitlines()[-1] == told


@pytest.mark.parametrize(("port", "host"), [("", ""), ("9012", "0.0.0.0")])
def test_addresses_follow_the_port_and_the_host(
    shell: Shell, clone: Path, port: str, host: str
) -> None:
    given = {"ML_PIPELINE_PORT": port, "ML_PIPELINE_HOST": host, "AIRFLOW__API__PORT": "1"}
    environment = shell.environment(source(clone), **given)
    shown = port or "8080"
    assert environment["AIRFLOW__API__PORT"] == shown
    assert environment["AIRFLOW__API__HOST"] == (host or "127.0.0.1")
    assert (
        environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
        == f"http://127.0.0.1:{shown}/execution/"
    )


@pytest.mark.parametrize(
    ("given", "shown"), [({}, "/"), ({"ML_PIPELINE_URL": "https://a.example"}, "https://a.example")]
)
def test_base_url_is_a_path_alone_unless_the_user_names_one(
    shell: Shell, clone: Path, given: dict[str, str], shown: str
) -> None:
    environment = shell.environment(source(clone), AIRFLOW__API__BASE_URL="http://else", **given)
    assert environment["AIRFLOW__API__BASE_URL"] == shown


@pytest.mark.parametrize(
    ("given", "spared"),
    [
        ({}, None),
        ({"https_proxy": "http://p:1"}, "localhost,127.0.0.1"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "corp"}, "corp,localhost,127.0.0.1"),
        ({"all_proxy": "http://p:1", "no_proxy": "127.0.0.1,x"}, "127.0.0.1,x,localhost"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "*"),
    ],
)
def test_a_proxy_spares_loopback(
    shell: Shell, clone: Path, given: dict[str, str], spared: str | None
) -> None:
    assert shell.environment(source(clone), **given).get("no_proxy") == spared


def fake_system(folder: Path, name: str) -> str:
    """Make a uname that tells of another system; return a PATH on which it comes first."""
    folder.mkdir()
    uname = folder / "uname"
    uname.write_text(f"#!/bin/sh\necho {name}\n")
    uname.chmod(0o755)
    return os.pathsep.join([str(folder), "/usr/bin", "/bin"])


@pytest.mark.parametrize(
    ("system", "given", "flag", "no_proxy"),
    [
        ("Linux", {}, None, None),
        ("Darwin", {}, "YES", "*"),
        ("Darwin", {"no_proxy": "corp"}, "YES", "corp"),
        ("Darwin", {"https_proxy": "http://p:1"}, "YES", "localhost,127.0.0.1"),
    ],
)
def test_forks_are_made_safe_on_macos_alone(
    shell: Shell,
    clone: Path,
    system: str,
    given: dict[str, str],
    flag: str | None,
    no_proxy: str | None,
) -> None:
    path = fake_system(clone.parent / "bin", system)
    environment = shell.environment(source(clone), PATH=path, **given)
    assert environment.get("OBJC_DISABLE_INITIALIZE_FORK_SAFETY") == flag
    assert environment.get("no_proxy") == no_proxy
