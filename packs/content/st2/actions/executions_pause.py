from petrel_api import quote
from st2pack import PackAction, each


class PauseExecutions(PackAction):
    things = "executions"

    def do(self, api, ids):
        return each(ids, lambda execution: api.put("/executions/%s" % quote(execution), {"status": "pausing"})["status"])
