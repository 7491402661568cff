from petrel_api import quote
from st2pack import PackAction


class RespondToInquiry(PackAction):
    things = "inquiries"

    def do(self, api, id, response=None):
        return api.put("/inquiries/%s" % quote(id), {"id": id, "response": response or {}})
