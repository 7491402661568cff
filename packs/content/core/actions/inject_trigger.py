import json
import os
import urllib.error
import urllib.request

from st2common.runners.base_action import Action


class InjectTrigger(Action):
    """Sends a trigger to the generic webhook. It is taken asynchronously: a
    trigger that does not exist is not reported."""

    def run(self, trigger=None, trigger_name=None, payload=None, trace_tag=None):
        if trigger and trigger_name:
            raise ValueError('Parameters "trigger" and "trigger_name" are mutually exclusive.')
        if not (trigger or trigger_name):
            raise ValueError('You must include the "trigger" parameter.')
        body = {"trigger": trigger or trigger_name, "payload": payload or {}}
        if trace_tag:
            body["trace_tag"] = trace_tag
        request = urllib.request.Request(
            os.environ["ST2_ACTION_API_URL"].rstrip("/") + "/webhooks/st2",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-Auth-Token": os.environ.get("ST2_ACTION_AUTH_TOKEN", "")},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read().decode() or "null")
        except urllib.error.HTTPError as error:
            text = error.read(4096).decode("utf-8", "replace")
            raise RuntimeError("the trigger was not taken: %s %s" % (error.code, text)) from None
