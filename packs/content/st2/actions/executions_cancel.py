from petrel_api import quote
from st2pack import PackAction, each


class CancelExecutions(PackAction):
    def do(self, api, ids):
        def cancel(execution):
            answer = api.delete("/executions/%s" % quote(execution))
            return answer.get("faultstring") or answer["status"]

        return each(ids, cancel)
