from st2pack import PackAction, about, limited, switch, without


class ListSensors(PackAction):
    things = "sensors"

    def do(self, api, pack=None, limit=10, exclude=None):
        items = api.get("/sensortypes", pack=pack, limit=limited(limit))
        return [without(switch(about(item)), exclude) for item in items]
