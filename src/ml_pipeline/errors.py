"""Errors that a user can act on: each message says what happened, where, and what to do."""


class PipelineError(Exception):
    """Something the user can mend; shown as its message alone, without a traceback."""


class DataError(PipelineError):
    """The data is bad: a retry cannot help."""


class DataUnreachable(PipelineError):
    """The store where the data lies does not answer: a retry may help."""


class ConfigError(PipelineError):
    """A configuration file or value is wrong."""


class DatabaseError(PipelineError):
    """PostgreSQL is missing, unreachable or refuses."""


class StackError(PipelineError):
    """A component does not start, answer or stop."""
