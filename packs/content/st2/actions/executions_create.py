from petrel_api import APIError
from st2pack import PackAction, dated


class CreateExecution(PackAction):
    def do(self, api, action, parameters=None, user=None, delay=None, trace_id=None, trace_tag=None):
        body = {"action": action, "parameters": parameters or {}}
        if user:
            body["user"] = user
        if delay:
            if not delay.isdigit():
                raise APIError(400, "delay is %r; milliseconds are expected" % delay)
            body["delay"] = int(delay)
        if trace_id or trace_tag:
            body["context"] = {"trace_context": {"id_": trace_id} if trace_id else {"trace_tag": trace_tag}}
        return dated(api.post("/executions", body))
