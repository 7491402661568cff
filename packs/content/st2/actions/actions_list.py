from st2pack import PackAction, about, limited, without


class ListActions(PackAction):
    def do(self, api, pack=None, limit=10, exclude=None):
        items = api.get("/actions", pack=pack, limit=limited(limit))
        return [without(about(item), exclude) for item in items]
