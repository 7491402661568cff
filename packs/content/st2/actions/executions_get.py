import json

from petrel_api import quote
from st2pack import PackAction, dated, fenced, without

MOST_SHOWN = 3000


class GetExecution(PackAction):
    def do(self, api, id, exclude=None):
        execution = dated(api.get("/executions/%s" % quote(id)))
        execution["user"] = (execution.get("context") or {}).get("user") or "-"
        if execution.get("parameters"):
            execution["given"] = fenced(json.dumps(execution["parameters"], ensure_ascii=False), 500)
        execution["shown"] = fenced(shown(execution.get("result")), MOST_SHOWN)
        return without(execution, exclude)


def shown(result):
    """A result for people: what was printed as it was, the rest as JSON."""
    if not isinstance(result, dict):
        return "" if result is None else text(result)
    parts = []
    for name, value in result.items():
        if value in ("", None) or name in ("succeeded", "failed"):
            continue
        line = text(value)
        parts.append("%s:\n%s" % (name, line) if "\n" in line else "%s: %s" % (name, line))
    return "\n".join(parts)


def text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
