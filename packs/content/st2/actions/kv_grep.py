from st2pack import PackAction, find


class GrepValues(PackAction):
    things = "keys"

    def do(self, api, query, prefix=False):
        return find(api, query, prefix)
