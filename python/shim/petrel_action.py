"""Runs one Python action.

The request is read from descriptor 3 and the answer written to descriptor 4,
so that the standard streams are the action's alone.
"""

import json
import os
import sys

REQUEST_FD, ANSWER_FD = 3, 4

INVALID_STATUS_EXIT_CODE = 220

INVALID_STATUS_ERROR_MESSAGE = """
If this is an existing action which returns a tuple with two items, it needs to be updated to
either:

1. Return a list instead of a tuple
2. Return a tuple where a first items is a status flag - (True, ('item1', 'item2'))

For more information, please see: https://docs.stackstorm.com/upgrade_notes.html#st2-v1-6
""".strip()


class ActionService:
    """What an action may ask of the server."""

    def __init__(self, action_wrapper):
        self._action_wrapper = action_wrapper
        self._datastore_service = None

    @property
    def datastore_service(self):
        # Imported late: most actions do not ask for it.
        if not self._datastore_service:
            from st2common.runners.utils import get_logger_for_python_runner_action
            from st2common.services.datastore import ActionDatastoreService

            wrapper = self._action_wrapper
            self._datastore_service = ActionDatastoreService(
                logger=get_logger_for_python_runner_action(
                    action_name=wrapper._class_name, log_level=wrapper._log_level
                ),
                pack_name=wrapper._pack,
                class_name=wrapper._class_name,
                auth_token=os.environ.get("ST2_ACTION_AUTH_TOKEN"),
            )
        return self._datastore_service

    def get_user_info(self):
        return self.datastore_service.get_user_info()

    def list_values(self, local=True, prefix=None, limit=None, offset=None):
        return self.datastore_service.list_values(
            local=local, prefix=prefix, limit=limit, offset=offset
        )

    def get_value(self, name, local=True, scope="system", decrypt=False):
        return self.datastore_service.get_value(
            name=name, local=local, scope=scope, decrypt=decrypt
        )

    def set_value(self, name, value, ttl=None, local=True, scope="system", encrypt=False):
        return self.datastore_service.set_value(
            name=name, value=value, ttl=ttl, local=local, scope=scope, encrypt=encrypt
        )

    def delete_value(self, name, local=True, scope="system"):
        return self.datastore_service.delete_value(name=name, local=local, scope=scope)


class PythonActionWrapper:
    """Finds the action's class, makes an instance and runs it."""

    def __init__(self, request):
        self._pack = request["pack"]
        self._file_path = request["file_path"]
        self._config = request.get("config") or {}
        self._parameters = request.get("parameters") or {}
        self._user = request.get("user")
        self._log_level = request.get("log_level") or "DEBUG"
        self._class_name = None

    def run(self):
        """Run the action; gives its status (None for none) and its result."""
        output = self._get_action_instance().run(**self._parameters)
        if not (isinstance(output, tuple) and len(output) == 2):
            return None, output
        status, result = output
        if status is not None and not isinstance(status, bool):
            sys.stderr.write(
                "Status returned from the action run() method must either be "
                "True or False, got: %s\n" % (status,)
            )
            sys.stderr.write(INVALID_STATUS_ERROR_MESSAGE)
            sys.exit(INVALID_STATUS_EXIT_CODE)
        return status, result

    def _get_action_instance(self):
        from st2common.runners.utils import get_action_class_instance

        try:
            classes = _classes(self._file_path)
        except Exception as e:
            import traceback

            msg = (
                'Failed to load action class from file "%s" (action file most likely doesn\'t '
                "exist or contains invalid syntax): %s" % (self._file_path, e)
            )
            msg += "\n\n" + traceback.format_exc()
            try:
                error = type(e)(msg)
            except Exception:  # a class that takes other arguments
                error = Exception(msg)
            raise error
        if not classes:
            raise Exception(
                'File "%s" has no action class or the file doesn\'t exist.' % self._file_path
            )
        self._class_name = classes[0].__name__
        return get_action_class_instance(
            action_cls=classes[0], config=self._config, action_service=ActionService(self)
        )


def _classes(path):
    """The classes of a file that can be run, sorted by name."""
    import importlib.util
    from types import FunctionType

    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise Exception('Directory "%s" with plugins doesn\'t exist' % folder)
    if not any(folder in (p, p + os.sep) for p in sys.path):
        sys.path.append(folder)
    name, extension = os.path.splitext(os.path.basename(path))
    if extension != ".py":
        return None
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Not by inspect: importing it takes longer than all else here.
    found = [
        cls
        for _, cls in sorted(vars(module).items())
        if isinstance(cls, type)
        and cls.__module__ == module.__name__
        and isinstance(getattr(cls, "run", None), FunctionType)
        and not getattr(cls.run, "__isabstractmethod__", False)
    ]
    if not found:
        raise Exception('Found no classes in plugin file "%s" matching requirements.' % path)
    return found


def _plain(value):
    """What JSON has no form for but StackStorm's encoder writes."""
    kind = type(value)
    if kind.__module__ == "datetime" and hasattr(value, "isoformat"):
        return value.isoformat()
    if kind.__module__ == "uuid":
        return str(value)
    if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
        return value.value
    if "dataclasses" in sys.modules and not isinstance(value, type):
        dataclasses = sys.modules["dataclasses"]
        if dataclasses.is_dataclass(value):
            return dataclasses.asdict(value)
    raise TypeError("Type is not JSON serializable: %s" % kind.__name__)


def _finite(value):
    """The value with null for numbers that JSON does not have."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def _dumps(value):
    def dump(v):
        return json.dumps(
            v, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8")

    try:
        return dump(value)
    except ValueError as e:
        if not str(e).startswith("Out of range float"):
            raise
    return dump(_finite(value))


def _encode(status, result):
    """The answer as JSON. A result that has no JSON form becomes text."""
    output = {"result": result, "status": None if status is None else bool(status)}
    try:
        return _dumps(output)
    except Exception:
        pass
    if status is not None:
        output["result"] = _text(str(result))
    else:
        # What StackStorm cuts out of the text of the whole output.
        import re

        text = str(output).strip()
        match = re.search("'result': (.*?)$", text)
        output["result"] = _text(match.group(1) if match else text)
    return _dumps(output)


def _text(text):
    return text.encode("utf-8", "replace").decode("utf-8")


def _answer(data):
    data = b"%d\n%s" % (len(data), data)
    while data:
        data = data[os.write(ANSWER_FD, data):]


def main():
    for fd in (REQUEST_FD, ANSWER_FD):
        os.set_inheritable(fd, False)
    with os.fdopen(REQUEST_FD, "rb") as source:
        request = json.loads(source.read().decode("utf-8"))
    # A client that the pack brings along is taken before this one.
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "extra"))
    sys.argv = [request["file_path"]]
    if request.get("configs_path"):
        from st2common.runners import utils

        utils.CONFIGS_PATH = request["configs_path"]
    status, result = PythonActionWrapper(request).run()
    _answer(_encode(status, result))

