from __future__ import annotations

import pytest

from ml_pipeline.ops import web_succession


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1:8080"), ("::1", "[::1]:8080"), ("0.0.0.0", "0.0.0.0:8080")],
)
def test_address_is_host_and_port(host: str, expected: str) -> None:
    assert web_succession.address(host, "8080", {}) == expected


def test_address_when_a_socket_was_inherited_is_that_socket() -> None:
    environment = {web_succession.LISTENER: "7"}
    assert web_succession.address("127.0.0.1", "8080", environment) == "fd://7"
