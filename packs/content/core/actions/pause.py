import random
import time

from st2common.runners.base_action import Action


class Pause(Action):
    """Waits, so that a workflow's branch stands still for a while."""

    def run(self, max_pause, random=False):
        seconds = pick(max_pause) if random else max_pause
        time.sleep(max(seconds, 0))
        return seconds


def pick(most):
    """A whole number of seconds from one to most."""
    return random.randint(1, max(most, 1))
