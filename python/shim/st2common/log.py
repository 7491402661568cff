"""Loggers as st2common.log gives them: below "st2.", with a level AUDIT."""

import functools
import logging

__all__ = ["getLogger"]

# Above CRITICAL: audit lines are there at every level.
logging.AUDIT = logging.CRITICAL + 10
logging.addLevelName(logging.AUDIT, "AUDIT")

_METHODS = ("debug", "info", "warning", "error", "critical", "exception", "log", "audit")


def _audit(logger, msg, *args, **kwargs):
    if logger.isEnabledFor(logging.AUDIT):
        logger._log(logging.AUDIT, msg, args, **kwargs)


logging.Logger.audit = _audit


def _prefix_extra(method):
    # Keys of extra get an underscore, because some names belong to the record.
    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        if kwargs.get("extra"):
            kwargs["extra"] = {"_" + str(k): v for k, v in kwargs["extra"].items()}
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        return method(*args, **kwargs)

    return wrapper


def getLogger(name):
    """A logger whose name begins with "st2."."""
    if not name.startswith("st2."):
        name = "st2." + name
    logger = logging.getLogger(name)
    if not getattr(logger, "_petrel", False):
        for key in _METHODS:
            setattr(logger, key, _prefix_extra(getattr(logger, key)))
        logger._petrel = True
    return logger
