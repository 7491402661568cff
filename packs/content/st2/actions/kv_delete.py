from petrel_api import quote
from st2pack import PackAction


class DeleteValue(PackAction):
    things = "keys"

    def do(self, api, key):
        api.delete("/keys/%s" % quote(key))
        return key
