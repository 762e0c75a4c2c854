from __future__ import annotations

import os
import socket

import pytest

from ml_pipeline.errors import StackError
from ml_pipeline.ops.ports import holder, require_free


@pytest.fixture
def taken_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_require_free_when_the_port_is_free_returns(taken_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    require_free("127.0.0.1", port)


def test_require_free_when_taken_names_the_process_and_another_port(taken_port: int) -> None:
    with pytest.raises(StackError, match=rf"process {os.getpid()} .*--port {taken_port + 1}"):
        require_free("127.0.0.1", taken_port)


def test_require_free_when_the_address_is_not_ours_says_so() -> None:
    with pytest.raises(StackError, match="Cannot listen on 192\\.0\\.2\\.1"):
        require_free("192.0.2.1", 8080)


def test_holder_when_nobody_listens_is_none() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert holder(unused.getsockname()[1]) is None
