from petrel_api import quote
from st2pack import PackAction, unpack_text


class GetValue(PackAction):
    things = "keys"

    def do(self, api, key, decompress=None, decrypt=False):
        found = api.get("/keys/%s" % quote(key), decrypt="true" if decrypt else None)["value"]
        return unpack_text(found) if decompress else found
