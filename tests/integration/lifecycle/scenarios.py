"""Run in a clone's environment: trains one model after the other, and reports what became of each.

``scenarios.py CLONE``. One process for all of them, because importing Airflow costs seconds.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ml_pipeline.ops import secrets
from ml_pipeline.ops.postgres.connections import connected
from ml_pipeline.ops.postgres.urls import parse

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.integration.orchestration.scenarios import Stage, set_up

CONTEST, SCORING = "contest_ml_pipeline", "contest_scoring"
TEXTURE, WORST_AREA = 3, 25  # columns of the file
WEAK = [{"name": "k_nearest_neighbors", "parameters": {"n_neighbors": 1}}]
STRONG = ["logistic_regression"]


def configure(stage: Stage, candidates: list[Any], data: str = "wdbc.data") -> None:
    """Write the problem that all scenarios are about."""
    tree = yaml.safe_load((stage.root / "config" / "breast_cancer.yaml").read_text())
    tree["data"]["path"] = f"../data/{data}"
    tree["candidates"] = candidates
    tree["selection"] = {"protocol": "quick", "folds": 10}
    (stage.root / "config" / "contest.yaml").write_text(yaml.safe_dump(tree))


def spoil(stage: Stage, name: str, share: float) -> None:
    """Write the data with a share of the labels handed out anew."""
    rows = [line.split(",") for line in lines_of(stage)]
    generator = random.Random(0)
    chosen = generator.sample(range(len(rows)), int(share * len(rows)))
    labels = [rows[place][1] for place in chosen]
    generator.shuffle(labels)
    for place, label in zip(chosen, labels, strict=True):
        rows[place][1] = label
    (stage.root / "data" / name).write_text("\n".join(map(",".join, rows)) + "\n")


def contest(stage: Stage) -> None:
    """A weak champion meets itself, spoiled labels, and a better one."""
    spoil(stage, "shuffled.data", 1.0)
    spoil(stage, "muddled.data", 0.3)
    configure(stage, WEAK)
    play(stage, "first")
    play(stage, "same again", day=1)
    configure(stage, WEAK, "shuffled.data")
    play(stage, "shuffled", day=2)
    configure(stage, WEAK, "muddled.data")
    play(stage, "muddled", day=3)
    configure(stage, STRONG)
    play(stage, "better", day=4)
    configure(stage, WEAK)
    play(stage, "weak again", day=5)
    play(stage, "weak once more", day=5)


def play(stage: Stage, name: str, day: int = 0) -> None:
    stage.play(name, stage.dag(CONTEST), day=day)


def scored(stage: Stage) -> None:
    """New rows day by day: of the same kind, shifted, faulty, and from a database."""
    rows = [line.split(",") for line in lines_of(stage)][::3]
    shifted = [[*row[:TEXTURE], str(float(row[TEXTURE]) + 5), *row[TEXTURE + 1 :]] for row in rows]
    faulty = [list(row) for row in rows]
    faulty[3][WORST_AREA] = "large"
    faulty[7][WORST_AREA] = "1e9"
    days = {"01": rows, "02": shifted, "03": faulty, "04": rows, "05": rows}
    for day, new in days.items():
        text = "\n".join(map(",".join, new)) + "\n"
        (stage.root / "data" / f"new-2025-01-{day}.data").write_text(text)
    score_from(stage, {"source": "../data/new-{date}.data", "chunk_rows": 100})
    for day, name in enumerate(("same kind", "shifted feature", "faulty rows")):
        stage.play(name, stage.dag(SCORING), day=day)
    stage.play("same day again", stage.dag(SCORING), day=0)
    score_from(stage, {"source": "../data/new-{date}.data", "challenger": "split"})
    stage.play("split", stage.dag(SCORING), day=3)
    stage.play("split next day", stage.dag(SCORING), day=4)
    fill_table(stage, rows)
    query = "SELECT * FROM new_rows WHERE %(start)s IS NOT NULL ORDER BY id"
    score_from(stage, {"connection": "results_db", "query": query, "challenger": "none"})
    stage.play("query", stage.dag(SCORING), day=5)


def score_from(stage: Stage, scoring: dict[str, Any]) -> None:
    file = stage.root / "config" / "contest.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"scoring": scoring}))


def lines_of(stage: Stage) -> list[str]:
    return (stage.root / "data" / "wdbc.data").read_text().splitlines()


def fill_table(stage: Stage, rows: list[list[str]]) -> None:
    """Put rows into a table, as a shop's database would hold them."""
    columns = yaml.safe_load((stage.root / "config" / "contest.yaml").read_text())["data"][
        "columns"
    ]
    names = ", ".join(
        f'"{name}" {"text" if name in ("id", "diagnosis") else "numeric"}' for name in columns
    )
    url = secrets.read(stage.root / "airflow_home" / "secrets", "results_db_url")
    with connected(parse(str(url)), 5) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE new_rows ({names})")
        places = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO new_rows VALUES ({places})", rows)


SCENARIOS: tuple[Callable[[Stage], None], ...] = (contest, scored)


def main(root: Path) -> None:
    stage = Stage(root)
    set_up(stage)
    for scenario in SCENARIOS:
        scenario(stage)
    (root / "played.json").write_text(json.dumps(stage.played))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
