"""What the base class of actions is made of."""

import logging as stdlib_logging
import os

from st2common import log as logging

__all__ = ["PackConfigDict", "get_logger_for_python_runner_action", "get_action_class_instance"]

CONFIG_MISSING_ITEM_ERROR = """
Config for pack "%s" is missing key "%s".
Make sure that the config file exists on disk (%s) and contains that key.

Also make sure you run "st2ctl reload --register-configs" when you add a
config and after every change you make to the config.
"""

# Where the files of configurations lie; the runner sets it.
CONFIGS_PATH = "/opt/stackstorm/configs/"

_loggers = {}


class PackConfigDict(dict):
    """A configuration: a missing key is a ValueError that says where to put it."""

    def __init__(self, pack_name, *args):
        super().__init__(*args)
        self._pack_name = pack_name

    def __getitem__(self, key):
        try:
            return super().__getitem__(key)
        except KeyError:
            path = os.path.join(CONFIGS_PATH, self._pack_name + ".yaml")
            raise ValueError(CONFIG_MISSING_ITEM_ERROR % (self._pack_name, key, path)) from None


def get_logger_for_python_runner_action(action_name, log_level="debug"):
    """The logger of an action; it writes to the standard error."""
    name = "actions.python.%s" % action_name
    if name not in _loggers:
        level = getattr(stdlib_logging, log_level.upper(), stdlib_logging.DEBUG)
        logger = logging.getLogger(name)
        console = stdlib_logging.StreamHandler()
        console.setLevel(level)
        console.setFormatter(
            stdlib_logging.Formatter("%(name)-12s: %(levelname)-8s %(message)s")
        )
        logger.addHandler(console)
        logger.setLevel(level)
        _loggers[name] = logger
    return _loggers[name]


def get_action_class_instance(action_cls, config=None, action_service=None):
    """Make an action; an old class whose constructor does not know the service gets it afterwards."""
    try:
        return action_cls(config=config, action_service=action_service)
    except TypeError as e:
        if "unexpected keyword argument 'action_service'" not in str(e):
            raise
    action = action_cls(config=config)
    action.action_service = action_service
    return action
