"""Quoting for the shell."""

import shlex

__all__ = ["quote_unix"]


def quote_unix(value):
    """The value as one word of a POSIX shell."""
    return shlex.quote(value)
