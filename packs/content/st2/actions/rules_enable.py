from petrel_api import quote
from st2pack import PackAction, without


class EnableRule(PackAction):
    things = "rules"

    def do(self, api, pack, name, exclude=None):
        path = "/rules/%s" % quote("%s.%s" % (pack, name))
        rule = api.get(path)
        rule["enabled"] = True
        return without(api.put(path, rule), exclude)
