#!/usr/bin/env python3
"""Load average divided by the number of processors: 1 is a machine that is just
busy. Runs as an action, and as a script with the period as its argument."""

import json
import os
import sys

try:
    from st2common.runners.base_action import Action
except ImportError:  # run as a script, where there is nothing of the kind
    Action = object

PERIODS = ("1", "5", "15")


def load(period="all"):
    """One number, or the texts of all three by period."""
    if period not in PERIODS + ("all",):
        raise ValueError("period is %r; it can be 1, 5, 15 or all" % (period,))
    processors = os.cpu_count() or 1
    loads = dict(zip(PERIODS, (round(value / processors, 2) for value in os.getloadavg())))
    if period == "all":
        return {name: str(value) for name, value in loads.items()}
    return loads[period]


class CheckLoadAverage(Action):
    def run(self, period="all"):
        return load(period)


if __name__ == "__main__":
    print(json.dumps(load(*sys.argv[1:2])))
