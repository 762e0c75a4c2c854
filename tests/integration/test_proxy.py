"""A proxy before the web server: its headers are believed only when the user trusts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.running_clone import eventually, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEME_APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})
"""


@contextmanager
def web_server(folder: Path, **settings: str) -> Iterator[int]:
    """Serve, with the project's settings, an application that answers with a request's scheme."""
    (folder / "scheme.py").write_text(SCHEME_APP)
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(REPOSITORY / "gunicorn.conf.py"),
            "scheme:app",
        ],
        cwd=folder,
        env={
            **os.environ,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "ML_PIPELINE_API_WORKERS": "1",
            **settings,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: scheme_seen(port), 60)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def scheme_seen(port: int) -> str:
    """Ask as a proxy that ends TLS does; return which scheme the application saw."""
    web = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        web.request("GET", "/", headers={"X-Forwarded-Proto": "https"})
        return web.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        web.close()


@pytest.mark.parametrize(
    ("settings", "scheme"),
    [({}, "http"), ({"ML_PIPELINE_TRUSTED_PROXY": "127.0.0.1"}, "https")],
)
def test_forwarded_headers_are_believed_only_from_a_trusted_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], scheme: str
) -> None:
    monkeypatch.delenv("ML_PIPELINE_TRUSTED_PROXY", raising=False)
    with web_server(tmp_path, **settings) as port:
        assert scheme_seen(port) == scheme
