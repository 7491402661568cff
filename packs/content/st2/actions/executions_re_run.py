from petrel_api import quote
from st2pack import PackAction, dated


class RerunExecution(PackAction):
    def do(self, api, id, parameters=None, tasks=None):
        body = {}
        if parameters:
            body["parameters"] = parameters
        if tasks:
            body["tasks"] = tasks
        return dated(api.post("/executions/%s/re_run" % quote(id), body))
