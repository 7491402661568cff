from pack_index import NoIndex, entries
from st2common.runners.base_action import Action


class ShowRemotePack(Action):
    """Gives a pack's entry in the index."""

    def run(self, pack):
        try:
            return {"pack": entries(self.config).get(pack)}
        except NoIndex as error:
            return False, str(error)
