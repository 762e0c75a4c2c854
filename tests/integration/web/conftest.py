"""The real gunicorn with the project's settings, and a small application in Airflow's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ml_pipeline.ops import processes
from tests.running_clone import REPOSITORY, eventually, free_port

APPLICATION = """
import asyncio
import gc

VERSION = "first"


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(2)
    body = str(gc.isenabled()) if scope["path"] == "/collects-garbage" else VERSION
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
"""


class WebServer:
    """A gunicorn in a folder of its own, which holds its application."""

    def __init__(self, folder: Path) -> None:
        self.application = folder / "toy.py"
        self.application.write_text(APPLICATION)
        self.settings = folder / "gunicorn.conf.py"
        self.settings.write_text((REPOSITORY / "gunicorn.conf.py").read_text())
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "gunicorn"), "-c", self.settings, "toy:app"],
                cwd=folder,
                env={**os.environ, "AIRFLOW__API__PORT": str(port)},
                stdout=log,
                stderr=log,
            )
        self.master = psutil.Process(self.process.pid)
        eventually(lambda: self.log.read_text().count("Booting worker") == 2, tell=self.tell)
        eventually(self.answers, tell=self.tell)

    def change(self, old: str, new: str) -> None:
        """Change the application's source."""
        self.application.write_text(self.application.read_text().replace(old, new))

    def workers(self) -> list[psutil.Process]:
        return self.master.children()

    def renew(self) -> None:
        """Renew it, and wait until the old workers are gone."""
        old = self.workers()
        self.master.send_signal(signal.SIGHUP)
        eventually(lambda: not any(worker.is_running() for worker in old), tell=self.tell)

    def get(self, path: str = "/") -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def answers(self) -> bool:
        try:
            return bool(self.get())
        except OSError:
            return False

    def tell(self) -> str:
        return self.log.read_text()

    def end(self) -> None:
        children = self.workers() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        processes.end(children, 0, time.sleep)


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[WebServer]:
    server = WebServer(tmp_path)
    yield server
    server.end()
