from petrel_api import quote
from st2pack import PackAction, pack_text


class SetValue(PackAction):
    things = "keys"

    def do(self, api, key, value, ttl=None, compress=None):
        body = {"name": key, "value": pack_text(value) if compress else value}
        if ttl:
            body["ttl"] = ttl
        return api.put("/keys/%s" % quote(key), body)
