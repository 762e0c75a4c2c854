"""A client of Airflow's REST API, as far as a first run needs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from ml_pipeline.errors import StackError

TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.25
CONNECT_RETRIES = 6  # 0 + 0.5 + 1 + 2 + 4 + 8 s: a web server that restarts is back by then
PARSED_WITHIN_SECONDS = 90.0
FINISHED = {"success", "failed"}


@dataclass(frozen=True)
class TaskState:
    """A task that has just come into a state.

    Parameters
    ----------
    task_id, state
        As Airflow names them.
    try_number
        From 1 on.
    seconds
        How long it has run; None before its end.
    map_index
        Which of the task's copies it is; -1 where it is not mapped.
    copy
        What Airflow calls that copy.
    """

    task_id: str
    state: str
    try_number: int
    seconds: float | None
    map_index: int = -1
    copy: str | None = None

    @property
    def title(self) -> str:
        """The task's name, with that of its copy where it is mapped."""
        if self.map_index < 0:
            return self.task_id
        return f"{self.task_id} {self.copy or self.map_index}"


class AirflowApi:
    """One session with the REST API.

    Parameters
    ----------
    url
        The web server's address.
    user, password
        An account of the UI.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        # Loopback: no proxy of the environment, no certificates to load. No connection outlives its
        # request, so none is met half closed after the web server was restarted.
        transport = httpx.HTTPTransport(
            retries=CONNECT_RETRIES, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._http = httpx.Client(
            base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False, transport=transport
        )
        token = self._post("/auth/token", {"username": user, "password": password})["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def await_dag(self, dag_id: str) -> None:
        """Return when the DAG has been parsed.

        Raises
        ------
        StackError
            With the first import error when it does not appear.
        """
        deadline = time.monotonic() + PARSED_WITHIN_SECONDS
        while self._send("GET", f"/api/v2/dags/{dag_id}").status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise StackError(f"The DAG {dag_id} does not appear. {self._import_errors()}")
            time.sleep(POLL_SECONDS)

    def has_run(self, dag_id: str) -> bool:
        """Tell whether the DAG has ever been run."""
        return self.first_run(dag_id) is not None

    def first_run(self, dag_id: str) -> str | None:
        """Return the id of the DAG's oldest run."""
        runs = self._get(f"/api/v2/dags/{dag_id}/dagRuns", limit=1, order_by="run_after")
        return runs["dag_runs"][0]["dag_run_id"] if runs["dag_runs"] else None

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Trigger a run now; return its id."""
        body = {"logical_date": None, "conf": conf or {}}
        return str(self._post(f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def follow(self, dag_id: str, run_id: str) -> Iterator[TaskState | None]:
        """Yield each change of a task's state until the run has ended, None between two looks."""
        seen: dict[tuple[str, int], tuple[str, int]] = {}
        while True:
            has_ended = self.run_state(dag_id, run_id) in FINISHED
            for task in self._task_states(dag_id, run_id):
                key, now = (task.task_id, task.map_index), (task.state, task.try_number)
                if seen.get(key) != now:
                    seen[key] = now
                    yield task
            if has_ended:
                return
            yield None
            time.sleep(POLL_SECONDS)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the run's state, in Airflow's words."""
        return str(self.run(dag_id, run_id)["state"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return what Airflow knows of a run."""
        return dict(self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return what a task returned."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        return self._get(f"{path}/xcomEntries/return_value", deserialize=False)["value"]

    def errors_in_log(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        """Return the messages of the errors in a task's log, each with its exception's."""
        instance = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}"
        path = f"{instance}/logs/{task.try_number}"
        entries = self._get(path, full_content=True, map_index=task.map_index)["content"]
        events = [entry for entry in entries if isinstance(entry, dict)]
        return [_message(entry) for entry in events if entry.get("level") in {"error", "critical"}]

    def _task_states(self, dag_id: str, run_id: str) -> list[TaskState]:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        tasks = self._get(path, order_by="start_date")["task_instances"]
        return [
            TaskState(
                task["task_id"],
                task["state"],
                task["try_number"],
                task["duration"],
                task["map_index"],
                task["rendered_map_index"],
            )
            for task in tasks
            if task["state"]
        ]

    def _import_errors(self) -> str:
        errors = self._get("/api/v2/importErrors")["import_errors"]
        return "; ".join(
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}"
            for error in errors
        )

    def _get(self, path: str, **parameters: Any) -> Any:
        headers = {"Accept": "application/json"}
        return self._json(self._send("GET", path, params=parameters, headers=headers))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._json(self._send("POST", path, json=body))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise StackError(
                f"The web server at {self._http.base_url} does not answer ({error}). See: "
                "ml-pipeline status, ml-pipeline logs api-server"
            ) from error

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise StackError(
                f"Airflow's API answered {answer.status_code} to {answer.request.method} "
                f"{answer.request.url.path}: {answer.text[:200]}"
            )
        return answer.json()


def _message(entry: dict[str, Any]) -> str:
    details = entry.get("error_detail") or []
    if not details:
        return str(entry.get("event"))
    kind, value = details[0]["exc_type"], details[0]["exc_value"]
    return value if kind == "AirflowFailException" else f"{kind}: {value}"
