import json

from petrel_api import quote
from st2pack import PackAction


class SetObject(PackAction):
    things = "keys"

    def do(self, api, key, value, ttl=None):
        body = {"name": key, "value": json.dumps(value)}
        if ttl:
            body["ttl"] = ttl
        return api.put("/keys/%s" % quote(key), body)
