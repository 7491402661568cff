from petrel_api import API, quote
from st2common.runners.base_action import Action


class FormatExecutionResult(Action):
    """Gives what the chat is told about an execution that ended. The server
    renders the alias's result format, so that bots of all kinds say the same."""

    def run(self, execution_id):
        said = API().get("/chat/results/%s" % quote(execution_id))
        result = {"enabled": bool(said.get("enabled", True)), "message": said.get("message", "")}
        if said.get("extra"):
            result["extra"] = said["extra"]
        return result
