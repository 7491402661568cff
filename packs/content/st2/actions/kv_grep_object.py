from st2pack import PackAction, as_object, find


class GrepObjects(PackAction):
    things = "keys"

    def do(self, api, query, prefix=False):
        return {name: as_object(text) for name, text in find(api, query, prefix).items()}
