"""The things the client deals with."""

from st2client.models.core import Resource
from st2client.models.keyvalue import KeyValuePair

__all__ = ["Resource", "KeyValuePair", "LiveAction", "Execution", "Action", "Rule", "Trigger", "TriggerInstance"]


class Execution(Resource):
    _plural = "Executions"


LiveAction = Execution


class Action(Resource):
    _plural = "Actions"


class Rule(Resource):
    _plural = "Rules"


class Trigger(Resource):
    _plural = "Triggers"


class TriggerInstance(Resource):
    _plural = "TriggerInstances"
