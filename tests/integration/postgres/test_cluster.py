"""The embedded cluster: how it is made, what it survives, where it lies."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg2
import pytest

from ml_pipeline.errors import DatabaseError
from ml_pipeline.ops import postgres
from ml_pipeline.ops.postgres import binaries, postmaster, record
from ml_pipeline.ops.postgres.cluster import Cluster
from ml_pipeline.ops.project import Project
from tests.integration.conftest import MakeClone
from tests.integration.postgres.conftest import (
    add_history,
    has_history,
    query,
    secret,
    superuser_url,
)

LONG_NAME = "a clone with spaces, ümläuts and 'quotes' " + "long " * 16


@contextmanager
def listener(port: int) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", port)) as server:
        yield server


def test_new_cluster_asks_everyone_for_a_password_and_listens_on_loopback_only(
    project: Project,
) -> None:
    settings = dict(
        query(
            superuser_url(project),
            "SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'fsync', "
            "'unix_socket_directories', 'data_checksums', 'synchronous_commit', 'ssl')",
        )
    )
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert settings["data_checksums"] == settings["fsync"] == settings["synchronous_commit"] == "on"
    methods = query(superuser_url(project), "SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert methods == [("scram-sha-256",)]


def test_new_cluster_reads_every_line_of_our_settings(project: Project) -> None:
    errors = query(
        superuser_url(project),
        "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL",
    )
    assert errors == []


def test_files_of_a_cluster_are_closed_to_others(project: Project) -> None:
    data = Cluster.of(project).data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE(project.secrets.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in project.secrets.iterdir()}
    assert modes == {0o600}
    assert data.stat().st_uid != 0


def test_password_file_of_initdb_is_gone(project: Project) -> None:
    assert {path.name for path in project.postgres.iterdir()} == {"data", "cluster.json"}


def test_no_process_shows_a_password(project: Project) -> None:
    server = psutil.Process(Cluster.of(project).server_pid())
    shown = [shown_of(each) for each in (server, *server.children(recursive=True))]
    passwords = [file.read_text() for file in project.secrets.glob("*_password")]
    assert len(passwords) >= 3
    assert shown[0]
    assert not [line for line in shown if any(password in line for password in passwords)]


def shown_of(process: psutil.Process) -> str:
    """Return what a process shows; nothing once it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_start_when_running_keeps_the_server(clone: Project) -> None:
    postgres.start(clone)
    pid = Cluster.of(clone).server_pid()
    postgres.start(clone)
    assert Cluster.of(clone).server_pid() == pid


def test_stop_shuts_down_cleanly_and_start_finds_the_data(clone: Project) -> None:
    postgres.start(clone)
    add_history(clone)
    postgres.stop(clone)
    cluster = Cluster.of(clone)
    control = subprocess.run(
        [cluster.binaries.program("pg_controldata"), cluster.data], capture_output=True, text=True
    )
    assert "shut down\n" in control.stdout
    assert not postgres.is_ready(clone)
    postgres.start(clone)
    assert has_history(clone)


def test_start_after_the_server_was_killed_recovers(clone: Project) -> None:
    postgres.start(clone)
    add_history(clone)
    server = psutil.Process(Cluster.of(clone).server_pid())
    server.kill()
    server.wait(5)
    postgres.start(clone)
    assert has_history(clone)


def test_start_when_a_child_of_the_killed_server_hangs_ends_it_first(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "BACKEND_EXIT_SECONDS", 0.5)
    postgres.start(clone)
    server = psutil.Process(Cluster.of(clone).server_pid())
    child = server.children()[0]
    child.suspend()
    server.kill()
    server.wait(5)
    postgres.start(clone)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert postgres.is_ready(clone)


@pytest.fixture
def stranger(clone: Project) -> Iterator[int]:
    """A process of the server's own user, which is no PostgreSQL."""
    account = Cluster.of(clone).account
    identity = {} if account.is_self else {"user": account.uid, "group": account.gid}
    process = subprocess.Popen(["sleep", "60"], **identity)
    yield process.pid
    process.kill()
    process.wait()


def test_start_when_another_program_has_the_noted_pid_starts_and_spares_it(
    clone: Project, stranger: int
) -> None:
    """PostgreSQL alone refuses: it cannot know that the living pid is not its predecessor."""
    postgres.start(clone)
    cluster = Cluster.of(clone)
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop(clone)
    pid_file.write_text("\n".join([str(stranger), *lines[1:]]) + "\n")
    cluster.account.own(pid_file)
    assert not cluster.is_running()
    postgres.stop(clone)
    postgres.start(clone)
    assert postgres.is_ready(clone)
    assert psutil.pid_exists(stranger)


def test_start_when_the_port_is_taken_picks_another_and_rewrites_the_urls(clone: Project) -> None:
    old_port = Cluster.of(clone).port
    assert old_port is not None
    postgres.prepare(clone)
    with listener(Cluster.of(clone).port or 0):
        taken = Cluster.of(clone).port
        postgres.start(clone)
        assert Cluster.of(clone).port != taken
        assert postgres.is_ready(clone)
    for name in ("sql_alchemy_conn", "sql_alchemy_conn_async", "mlflow_db_url", "results_db_url"):
        assert f"127.0.0.1:{Cluster.of(clone).port}/" in secret(clone, name)


def test_copy_of_a_running_clone_never_uses_its_database_and_starts_beside_it(
    project: Project, make_clone: MakeClone
) -> None:
    """The copy has the port, the passwords and the pid file of the original."""
    copy = make_clone()
    shutil.copy2(Cluster.of(project).data / "postmaster.pid", Cluster.of(copy).data)
    shutil.copytree(project.secrets, copy.secrets, dirs_exist_ok=True)
    record.update(copy, port=Cluster.of(project).port)
    assert not postgres.is_ready(copy)
    with pytest.raises(DatabaseError, match="is not running"):
        postgres.provision(copy)
    postgres.start(copy)
    assert Cluster.of(copy).server_pid() != Cluster.of(project).server_pid()
    assert Cluster.of(copy).port != Cluster.of(project).port
    assert postgres.is_ready(copy) and postgres.is_ready(project)


PREPARE = """
import sys
from pathlib import Path
from ml_pipeline.ops import postgres
from ml_pipeline.ops.project import Project
postgres.prepare(Project(Path(sys.argv[1])))
"""


def test_prepare_after_a_killed_initdb_makes_a_whole_cluster(
    new_clone: Callable[[], Project],
) -> None:
    project = new_clone()
    project.root.chmod(0o755)
    first = subprocess.Popen([sys.executable, "-c", PREPARE, str(project.root)])
    while not list(project.postgres.glob("data.partial-*/PG_VERSION")):
        assert first.poll() is None
        time.sleep(0.005)
    for process in (*psutil.Process(first.pid).children(recursive=True), first):
        with suppress(psutil.NoSuchProcess):  # some of initdb's live for milliseconds
            process.kill()
    first.wait()
    assert not Cluster.of(project).is_initialised()
    postgres.start(project)
    postgres.provision(project)
    assert postgres.is_ready(project)
    assert not list(project.postgres.glob("data.partial-*"))
    postgres.stop(project)


def test_cluster_in_a_long_path_with_spaces_and_umlauts_runs(
    make_clone: MakeClone, new_clone: Callable[[], Project]
) -> None:
    parent = new_clone().root
    parent.chmod(0o755)
    project = Project(parent / LONG_NAME)
    assert len(os.fsencode(project.root)) > 120
    postgres.start(project)
    postgres.provision(project)
    assert postgres.is_ready(project)
    postgres.stop(project)


def test_moved_clone_finds_its_history(make_clone: MakeClone) -> None:
    clone = make_clone()
    postgres.start(clone)
    add_history(clone)
    postgres.stop(clone)
    moved = Project(clone.root.with_name("moved elsewhere"))
    clone.root.rename(moved.root)
    postgres.start(moved)
    assert has_history(moved)


def test_start_when_all_secrets_are_lost_gives_new_passwords_to_the_old_data(
    clone: Project,
) -> None:
    postgres.start(clone)
    add_history(clone)
    postgres.stop(clone)
    old = secret(clone, "postgres_password")
    shutil.rmtree(clone.secrets)
    postgres.start(clone)
    postgres.provision(clone)
    assert secret(clone, "postgres_password") != old
    assert has_history(clone)


def test_start_when_the_binaries_of_that_major_are_gone_says_which_are_needed(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = binaries.bundled_folders()[1]
    monkeypatch.setenv("ML_PIPELINE_PG_BINDIR", str(other))
    with pytest.raises(DatabaseError, match=r"PostgreSQL 16.*a PostgreSQL 18"):
        postgres.start(clone)


def test_server_that_cannot_start_shows_the_end_of_its_log(make_clone: MakeClone) -> None:
    clone = make_clone()
    with (Cluster.of(clone).data / "postgresql.auto.conf").open("a") as settings:
        settings.write("shared_buffers = 'nonsense'\n")
    with pytest.raises(DatabaseError, match="shared_buffers"):
        postgres.start(clone)


def test_wrong_password_is_refused(project: Project) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        query(superuser_url(project).for_role("postgres", "postgres", "postgres"), "SELECT 1")
