from petrel_api import APIError, quote
from st2pack import PackAction, dated, without

DEEPEST = 100


class GetRootExecution(PackAction):
    def do(self, api, id, exclude=None):
        for _ in range(DEEPEST):
            execution = api.get("/executions/%s" % quote(id))
            if not execution.get("parent"):
                return without(dated(execution), exclude)
            id = execution["parent"]
        raise APIError(400, "the execution is nested deeper than %d levels" % DEEPEST)
