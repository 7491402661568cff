from petrel_api import API
from st2common.runners.base_action import Action


class Match(Action):
    """Finds the alias a line means."""

    def run(self, text):
        found = API().post("/actionalias/match", {"command": text})
        match = found[0] if isinstance(found, list) else found
        alias = match["actionalias"]
        return {
            "alias": {name: alias[name] for name in ("name", "pack", "action_ref")},
            "representation": match["representation"],
        }
