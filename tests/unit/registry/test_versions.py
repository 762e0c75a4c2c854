"""What a registry that is broken says; one that works is in tests/integration/registry."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ml_pipeline.registry import tracking
from ml_pipeline.registry.tracking import RegistryError
from ml_pipeline.registry.versions import Versions


class Broken(BaseHTTPRequestHandler):
    """An MLflow server whose own database is down."""

    def do_GET(self):
        self.send_response(500)
        self.end_headers()
        self.wfile.write(b'{"error_code": "INTERNAL_ERROR", "message": "no connection"}')

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def versions(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = HTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = tracking.open_client(f"http://127.0.0.1:{server.server_port}", tmp_path.as_uri())
    yield Versions(client, "loans")
    server.shutdown()
    server.server_close()


def test_a_registry_that_fails_is_none_without_champion(versions):
    with pytest.raises(RegistryError, match="does not answer"):
        versions.aliased("champion")


def test_a_registry_that_cannot_be_reached_is_named_without_its_password(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = tracking.open_client("http://me:s3cret@127.0.0.1:9", tmp_path.as_uri())

    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9") as refusal:
        Versions(client, "loans").all()

    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__suppress_context__  # a task's log shows what an error came from


def test_a_registry_that_fails_is_none_without_history(versions):
    with pytest.raises(RegistryError, match="does not answer"):
        versions.moves()
