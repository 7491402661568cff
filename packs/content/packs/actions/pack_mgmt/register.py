from petrel_api import API, APIError
from st2common.runners.base_action import Action

# What older callers write for the kinds of content.
SINGULAR = {
    "actions": "action", "aliases": "alias", "configs": "config", "policies": "policy", "rules": "rule",
    "runners": "runner", "sensors": "sensor", "triggers": "trigger",
}


class Register(Action):
    """Registers packs from their folders. The timeout is the runner's parameter."""

    def run(self, register="all", packs=None, **_):
        body = {"types": [SINGULAR.get(kind.strip(), kind.strip()) for kind in register.split(",")]}
        if packs:
            body["packs"] = packs
        try:
            return API(timeout=600).post("/packs/register", body)
        except APIError as error:
            return False, str(error)
