"""What can go wrong with an XCom, each told in one line: what, where, what to do."""

from __future__ import annotations

from ml_pipeline.errors import PipelineError


class XComError(PipelineError):
    """An XCom cannot be stored or read."""


class UnsupportedValueError(XComError, TypeError):
    """A value, or a part of it, would not come back as it was."""
