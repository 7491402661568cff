from st2pack import PackAction, about, limited, without


class ListPacks(PackAction):
    def do(self, api, limit=10):
        packs = api.get("/packs", limit=limited(limit))
        return [without(about(dict(pack, version=pack.get("version") or "-")), ["files"]) for pack in packs]
