"""The web server's port: whether it is free, and who holds it if it is not."""

from __future__ import annotations

import errno
import socket

import psutil

from ml_pipeline.errors import StackError


def require_free(host: str, port: int) -> None:
    """Return when the port can be listened on.

    Raises
    ------
    StackError
        Naming the process that holds it, where the system tells.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            listener.bind((host, port))
            listener.listen(1)
        except OSError as error:
            raise StackError(_explain(error, host, port)) from error


def holder(port: int) -> psutil.Process | None:
    """Return the process that listens on `port`, None where it cannot be told.

    macOS tells only root about the processes of others.
    """
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,):
                return psutil.Process(connection.pid) if connection.pid else None
    except psutil.Error:
        return None
    return None


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        process = holder(port)
        who = f"process {process.pid} ({process.name()})" if process else "another program"
        return f"Port {port} is taken by {who}. End it, or choose another: --port {port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Choose one from 1024 on: --port 8080"
    return f"Cannot listen on {host}:{port}: {error.strerror}. Choose one of this machine: --host"
