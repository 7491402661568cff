from petrel_api import quote
from st2pack import PackAction, as_object, unpack_text


class GetObject(PackAction):
    things = "keys"

    def do(self, api, key, decompress=None, decrypt=False):
        found = api.get("/keys/%s" % quote(key), decrypt="true" if decrypt else None)["value"]
        return as_object(unpack_text(found) if decompress else found)
