from st2pack import PackAction, dated, limited

HEAVY = "result,trigger,trigger_type,trigger_instance"


class ListExecutions(PackAction):
    things = "executions"

    def do(self, api, action=None, status=None, limit=10):
        found = api.get("/executions", action=action, status=status, limit=limited(limit), exclude_attributes=HEAVY)
        return [dated(execution) for execution in found]
