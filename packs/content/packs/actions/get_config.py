from st2common.runners.base_action import Action


class GetConfig(Action):
    """Gives the configuration of this pack."""

    def run(self):
        return dict(self.config or {})
