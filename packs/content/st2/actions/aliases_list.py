from st2pack import PackAction, limited, short


class ListAliases(PackAction):
    def do(self, api, pack=None, limit=10):
        aliases = api.get("/actionalias", pack=pack, limit=limited(limit))
        for alias in aliases:
            alias["say"] = short(" | ".join(shown(form) for form in alias.get("formats", [])), 110)
        return aliases


def shown(form):
    """How a format is shown to people."""
    if isinstance(form, str):
        return form
    return form.get("display") or (form.get("representation") or [""])[0]
