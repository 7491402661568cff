from pack_index import NoIndex, entries
from st2common.runners.base_action import Action

LEFT_OUT = ("repo_url", "email")


class Search(Action):
    """Finds packs of the index by a text: those that have it in their name come
    first, then those that have it in their keywords, then the rest."""

    def run(self, query):
        try:
            packs = entries(self.config)
        except NoIndex as error:
            return False, str(error)
        ranked = [(rank(pack, query), name, pack) for name, pack in packs.items()]
        return [pack for place, _, pack in sorted((r for r in ranked if r[0] is not None), key=lambda r: r[:2])]


def rank(pack, query):
    if query in str(pack.get("name", "")):
        return 0
    if query in (pack.get("keywords") or []):
        return 1
    for name, value in pack.items():
        if name in LEFT_OUT:
            continue
        if query in (value if isinstance(value, (list, dict)) else str(value)):
            return 2
    return None
