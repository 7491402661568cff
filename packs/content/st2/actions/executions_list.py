import os

from st2pack import PackAction, dated, limited, only

# What is big, and seldom looked at in a list.
HEAVY = ("trigger", "trigger_type", "rule", "liveaction", "log")


class ListExecutions(PackAction):
    def do(self, api, action=None, status=None, limit=10):
        limit = limited(limit)
        # One more than asked for, because this execution is left out.
        found = api.get("/executions", action=action, status=status, limit=limit + 1, exclude_attributes="result,trigger_instance")
        me = os.environ.get("ST2_ACTION_EXECUTION_ID")
        return [brief(execution) for execution in found if execution["id"] != me][:limit]


def brief(execution):
    """An execution without its copies of other objects."""
    for name in HEAVY:
        execution.pop(name, None)
    execution["action"] = only(execution.get("action"), ("ref", "name", "pack", "runner_type"))
    execution["runner"] = only(execution.get("runner"), ("name",))
    return dated(execution)
