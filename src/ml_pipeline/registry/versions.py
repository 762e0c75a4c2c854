"""The versions of one problem's model: what is recorded of each, and which one is in use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_pipeline.registry.tracking import RegistryError, unreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CHAMPION, CHALLENGER = "champion", "challenger"
ALIASES = (CHAMPION, CHALLENGER)
MOVES = "moves"  # tag of the registered model: who was champion when
MOST_MOVES = 50  # a tag holds 5,000 characters
PAGE = 200


@dataclass(frozen=True)
class Version:
    """One registered model and its evidence.

    Parameters
    ----------
    problem
        The problem's name; the registered model is called the same.
    number
        1 for the first.
    created_at
        In UTC.
    aliases
        `champion`, `challenger`, and what others have given it.
    facts
        The recorded tags, as text: `dag_id`, `run_id`, `uri`, `sha256`, `model`, `metric`, `mean`,
        `low`, `high`, `data_sha256`, `decision`, `reason` and more.
    """

    problem: str
    number: int
    created_at: datetime
    aliases: tuple[str, ...]
    facts: dict[str, str]

    @property
    def run(self) -> tuple[str | None, str | None]:
        """The DAG and the run that registered it."""
        return self.facts.get("dag_id"), self.facts.get("run_id")

    @property
    def is_needed(self) -> bool:
        """Whether it is in use, or was champion: a rollback goes back to it."""
        return bool(self.aliases) or "promoted at" in self.facts

    @property
    def is_withdrawn(self) -> bool:
        """Whether its file is gone: its run was run again and trained another model."""
        return "replaced_by" in self.facts

    def fact(self, name: str) -> str:
        """Return a fact that every version has which a run of ours registered.

        Raises
        ------
        RegistryError
            When somebody else registered this one: nothing vouches for its file.
        """
        if name not in self.facts:
            raise RegistryError(
                f"Version {self.number} of {self.problem} was not registered by a run of this "
                f"pipeline: it has no {name!r}. Choose another: ml-pipeline models promote VERSION"
            )
        return self.facts[name]

    def figure(self, name: str) -> float:
        """Return a recorded number, NaN when it is not there."""
        return float(self.facts.get(name, "nan"))


class Versions:
    """All versions of one problem's model in a registry.

    Parameters
    ----------
    client
        MLflow's, from `tracking.open_client`.
    problem
        The problem's name.
    """

    def __init__(self, client: MlflowClient, problem: str) -> None:
        self.client = client
        self.problem = problem

    def all(self) -> list[Version]:
        """Return every version, the newest first.

        Raises
        ------
        RegistryError
            When the registry does not answer: that is no registry without versions.
        """
        model = self._model()
        if model is None:
            return []
        found, token = [], None
        while True:
            page = self.client.search_model_versions(
                f"name = '{self.problem}'", max_results=PAGE, page_token=token
            )
            found += [self._version(one, model.aliases) for one in page]
            token = page.token
            if not token:
                return sorted(found, key=lambda version: -version.number)

    def get(self, number: int) -> Version:
        """Return one version.

        Raises
        ------
        RegistryError
            When there is none of that number.
        """
        versions = self.all()
        for version in versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in reversed(versions)) or "none yet"
        raise RegistryError(f"{self.problem} has no version {number}. There are: {known}")

    def aliased(self, alias: str) -> Version | None:
        """Return the version that bears an alias, or None."""
        return next((version for version in self.all() if alias in version.aliases), None)

    def of_run(self, dag_id: str, run_id: str) -> Version | None:
        """Return the newest version that a run registered, or None."""
        return next((one for one in self.all() if one.run == (dag_id, run_id)), None)

    def add(self, source: str, facts: dict[str, str], mlflow_run: str | None = None) -> Version:
        """Register a model by reference and return its version; a repeated call changes nothing.

        Parameters
        ----------
        source
            The model file's URI.
        facts
            See `Version`; `dag_id`, `run_id` and `sha256` must be among them.
        mlflow_run
            Id of the MLflow run that tracks its training.
        """
        earlier = self.of_run(facts["dag_id"], facts["run_id"])
        if earlier and earlier.facts.get("sha256") == facts["sha256"]:
            return earlier
        self._ensure_model()
        made = self.client.create_model_version(
            self.problem, source, run_id=mlflow_run, tags=facts, await_creation_for=0
        )
        version = self.get(int(made.version))
        if earlier:
            self._withdraw(earlier, version)
        return version

    def promote(self, version: Version, reason: str) -> None:
        """Make a version the champion, and record why.

        Raises
        ------
        RegistryError
            When its file is gone.
        """
        if version.is_withdrawn:
            raise RegistryError(
                f"Version {version.number} of {self.problem} is gone: its run was run again. "
                f"Promote version {version.facts['replaced_by']}"
            )
        if CHAMPION in version.aliases:
            return
        self._note(version, "promoted", reason)
        self.client.set_registered_model_alias(self.problem, CHAMPION, str(version.number))
        if CHALLENGER in version.aliases:
            self.client.delete_registered_model_alias(self.problem, CHALLENGER)

    def challenge(self, version: Version) -> None:
        """Make a version the challenger."""
        self.client.set_registered_model_alias(self.problem, CHALLENGER, str(version.number))

    def rollback(self, reason: str) -> tuple[Version, Version]:
        """Give the place back to the champion before, and return (who left, who is back).

        Raises
        ------
        RegistryError
            When there was none before.
        """
        succession = self._succession()
        if len(succession) < 2:
            raise RegistryError(
                f"{self.problem} has no earlier champion to go back to. "
                "Choose one: ml-pipeline models promote VERSION"
            )
        left, back = self.get(succession[-1]), self.get(succession[-2])
        self._note(left, "rolled back", reason)
        self.client.set_registered_model_alias(self.problem, CHAMPION, str(back.number))
        return left, back

    def moves(self) -> list[dict[str, Any]]:
        """Return each change of champion, oldest first: `at`, `version`, `move`."""
        model = self._model()
        recorded: list[dict[str, Any]] = json.loads(model.tags.get(MOVES, "[]")) if model else []
        return recorded

    def _succession(self) -> list[int]:
        """Return the champions that a rollback goes through, the present one last."""
        withdrawn = {version.number for version in self.all() if version.is_withdrawn}
        stack: list[int] = []
        for move in self.moves():
            if move["move"] == "promoted":
                stack.append(move["version"])
            elif stack:
                stack.pop()
        return [number for number in stack if number not in withdrawn]

    def _note(self, version: Version, move: str, reason: str) -> None:
        """Record a change of champion before it is made: repeated, it is recorded once."""
        moves = self.moves()
        one = {"at": _now(), "version": version.number, "move": move}
        if not moves or (moves[-1]["version"], moves[-1]["move"]) != (version.number, move):
            kept = json.dumps([*moves, one][-MOST_MOVES:])
            self.client.set_registered_model_tag(self.problem, MOVES, kept)
        for key, value in ((f"{move} at", one["at"]), (f"{move} because", reason)):
            self.client.set_model_version_tag(self.problem, str(version.number), key, value)

    def _withdraw(self, version: Version, successor: Version) -> None:
        """Its run was run again and published another model: what it held goes to others."""
        number = str(version.number)
        self.client.set_model_version_tag(
            self.problem, number, "replaced_by", str(successor.number)
        )
        for alias in version.aliases:
            self.client.delete_registered_model_alias(self.problem, alias)
        succession = self._succession()
        if CHAMPION in version.aliases and succession:
            back = str(succession[-1])
            self.client.set_registered_model_alias(self.problem, CHAMPION, back)

    def _model(self) -> RegisteredModel | None:
        """Return what MLflow knows of the problem, None before its first version."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_registered_model(self.problem)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise unreachable(error) from None

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.problem)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _version(self, one: ModelVersion, aliases: dict[str, Any]) -> Version:
        number = int(one.version)
        return Version(
            problem=self.problem,
            number=number,
            created_at=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
            aliases=tuple(name for name in _ranked(aliases) if int(aliases[name]) == number),
            facts=dict(one.tags),
        )


def problems(client: MlflowClient) -> list[str]:
    """Return the names of all registered models.

    Raises
    ------
    RegistryError
        When the registry does not answer.
    """
    from mlflow.exceptions import MlflowException

    found, token = [], None
    try:
        while True:
            page = client.search_registered_models(page_token=token)
            found += [model.name for model in page]
            token = page.token
            if not token:
                return sorted(found)
    except MlflowException as error:
        raise unreachable(error) from None


def _ranked(aliases: dict[str, Any]) -> list[str]:
    """Return the names, ours first."""
    return sorted(aliases, key=lambda name: (name not in ALIASES, name == CHALLENGER, name))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
