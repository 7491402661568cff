from st2pack import PackAction, about, limited, switch, without


class ListRules(PackAction):
    things = "rules"

    def do(self, api, pack=None, limit=10, exclude=None):
        items = api.get("/rules", pack=pack, limit=limited(limit))
        return [without(switch(about(item)), exclude) for item in items]
