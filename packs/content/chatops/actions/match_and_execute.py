import time

from petrel_api import API, quote
from st2common.runners.base_action import Action

FINAL = ("succeeded", "failed", "timeout", "canceled", "abandoned")
LONGEST_WAIT = 10


class MatchAndExecute(Action):
    """Runs what a line means and waits for its end; the result is the execution's id."""

    def run(self, text, source_channel=None, user=None):
        api = API()
        body = {"command": text, "source_channel": source_channel or "", "user": user or ""}
        answer = api.post("/aliasexecution/match_and_execute", body)
        results = answer["results"] if "results" in answer else [answer]
        execution = results[0]["execution"]["id"]
        wait = 0.5
        while api.get("/executions/%s" % quote(execution), include_attributes="status")["status"] not in FINAL:
            time.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)
        return execution
