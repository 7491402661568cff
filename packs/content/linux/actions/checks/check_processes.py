#!/usr/bin/env python3
"""Finds processes and prints {pid: command line} as JSON.

Arguments: what to search by (state, name or pid), what to look for, and words
that change the output: with "pidlist" the pids are written to the standard
error stream as well, on one line. A name is searched as a regular expression;
state and pid must be equal."""

import json
import os
import re
import sys


def processes():
    """Yields (pid, state, name, command line) of every process of the machine."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as stat:
                text = stat.read()
            with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as cmdline:
                command = cmdline.read().replace("\0", " ").strip()
        except OSError:
            continue  # it ended meanwhile
        # The name stands in brackets and may hold brackets itself.
        name = text[text.index("(") + 1 : text.rindex(")")]
        state = text[text.rindex(")") + 2]
        yield pid, state, name, command


def find(search, criteria):
    if search not in ("state", "name", "pid"):
        raise ValueError("search is %r; it can be state, name or pid" % (search,))
    pattern = re.compile(criteria) if search == "name" else None
    for pid, state, name, command in processes():
        if search == "pid":
            hit = pid == criteria
        elif search == "state":
            hit = state == criteria
        else:
            hit = pattern.search(name) or pattern.search(command)
        if hit and int(pid) != os.getpid():
            yield pid, command or name


def main(search="name", criteria="", args=""):
    found = dict(find(search or "name", criteria))
    if "pidlist" in args:
        sys.stderr.write(" ".join(found))
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except (ValueError, re.error) as error:
        sys.exit(str(error))
