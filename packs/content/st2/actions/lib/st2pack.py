"""What the actions of this pack have in common."""

import datetime

from petrel_api import API, APIError
from st2common.runners.base_action import Action

MAX_LIMIT = 99  # one more is asked for at times, and a page of the API ends at 100


class PackAction(Action):
    """An action over the API: what the server refuses is the result, in the
    server's own words, and not a traceback."""

    def run(self, **parameters):
        try:
            return self.do(API(), **parameters)
        except APIError as error:
            return False, str(error)

    def do(self, api, **parameters):
        raise NotImplementedError("an action of this pack without do()")


def limited(limit):
    """A limit the API takes."""
    if limit is None:
        return 10
    if not 0 < limit <= MAX_LIMIT:
        raise APIError(400, "limit is %s; it can be 1 to %d" % (limit, MAX_LIMIT))
    return limit


def without(item, names):
    """An object without some of its attributes."""
    return {name: value for name, value in item.items() if name not in (names or ())}


def ago(text, now=None):
    """A time of the API as how long ago it was: 5s ago, 12m ago."""
    try:
        then = datetime.datetime.strptime((text or "")[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return "-"
    now = now or datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return "%d%s ago" % (seconds // size, unit)
    return "%ds ago" % seconds


def took(seconds):
    """A duration in seconds for people."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return "%dms" % round(seconds * 1000)
    if seconds < 10:
        return "%.1fs" % seconds
    seconds = int(seconds)
    if seconds < 60:
        return "%ds" % seconds
    if seconds < 3600:
        return "%dm%02ds" % (seconds // 60, seconds % 60)
    return "%dh%02dm" % (seconds // 3600, seconds % 3600 // 60)


def only(item, names):
    """Some attributes of an object."""
    return {name: value for name, value in (item or {}).items() if name in names}


def short(text, most=80):
    """The first line of a text, cut."""
    line = " ".join((text or "").split("\n")[0].replace("`", "'").split())
    return line if len(line) <= most else line[: most - 1] + "…"


def fenced(text, most):
    """A text that cannot end the block of code it is shown in, cut."""
    text = text.replace("```", "'''")
    return text if len(text) <= most else text[:most] + "\n… (%d characters more)" % (len(text) - most)


def about(item):
    """An object with a line about it, for the chat."""
    item["about"] = short(item.get("description"))
    return item


def dated(execution):
    """An execution with how long ago it began and how long it took, for the chat."""
    execution["age"] = ago(execution.get("start_timestamp"))
    execution["took"] = took(execution.get("elapsed_seconds"))
    return execution


def each(ids, do):
    """Does something to several executions; fails when one of them fails, and says
    what became of each."""
    outcome = {}
    failed = False
    for execution in ids:
        execution = execution.strip()
        if not execution:
            continue
        try:
            outcome[execution] = do(execution)
        except APIError as error:
            failed = True
            outcome[execution] = str(error)
    if not outcome:
        return False, "No execution was named."
    return (False, outcome) if failed else outcome
