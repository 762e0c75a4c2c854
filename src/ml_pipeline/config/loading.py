"""Reading a configuration: YAML to validated model, every fault as one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ml_pipeline.config.problem import PROBLEM_NAME, ProblemConfig
from ml_pipeline.errors import ConfigError


def files_in(folder: Path) -> list[Path]:
    """Return the files in a folder that are meant as configurations, whether valid or not."""
    return sorted(folder.glob("[!.]*.y*ml"))


def load_folder(folder: Path) -> tuple[list[ProblemConfig], list[ConfigError]]:
    """Read every problem in a folder; one that is not valid leaves the others as they are.

    Returns
    -------
    problems, errors
        Both in the order of the files' names.
    """
    problems, errors = list[ProblemConfig](), list[ConfigError]()
    for file in files_in(folder):
        try:
            problems.append(load(file))
        except ConfigError as error:
            errors.append(error)
    return problems, errors


def load(path: Path | str) -> ProblemConfig:
    """Read and validate one problem's configuration.

    Raises
    ------
    ConfigError
        When the file is missing, is no YAML, or a field is unknown, missing or not allowed;
        the message is one line that names file, field and what is allowed.
    """
    source = problem_source(path)
    tree = _parse(source)
    if tree is None:
        raise ConfigError(f"{source}: the file is empty. Must give at least `data` and `target`")
    return ProblemConfig.validated(tree, source)


def problem_source(path: Path | str) -> Path:
    """Return a configuration's absolute path, or raise ConfigError when its name is not allowed."""
    source = Path(path).absolute()
    if not PROBLEM_NAME.fullmatch(source.stem) or source.suffix != ".yaml":
        raise ConfigError(
            f"{source}: the file's name gives the DAG its id. "
            "Must consist of letters, digits, '_' and '-', and end in .yaml"
        )
    return source


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML silently keeps the last of two equal keys; here they are an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _parse(source: Path) -> Any:
    try:
        return yaml.load(source.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except FileNotFoundError:
        raise ConfigError(f"{source}: no such file.{_neighbours(source)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read as UTF-8 text: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise ConfigError(f"{source}:{where} not valid YAML: {error.problem}") from error
    except RecursionError:
        raise ConfigError(f"{source}: not valid YAML: nested too deeply") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error


def _neighbours(source: Path) -> str:
    names = sorted(file.name for file in source.parent.glob("*.yaml"))
    return f" Beside it: {', '.join(names)}" if names else ""
