from petrel_api import quote
from st2pack import PackAction, without


class DisableRule(PackAction):
    things = "rules"

    def do(self, api, pack, name, exclude=None):
        path = "/rules/%s" % quote("%s.%s" % (pack, name))
        rule = api.get(path)
        rule["enabled"] = False
        return without(api.put(path, rule), exclude)
