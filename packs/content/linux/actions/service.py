#!/usr/bin/env python3
"""Does something to a service of the machine: service.py ACT SERVICE. Exit code
2 means that there is no such service."""

import os
import shutil
import subprocess
import sys


def command(act, service):
    """The words that do it here, or None when the service does not exist."""
    if os.path.isdir("/run/systemd/system") and shutil.which("systemctl"):
        known = subprocess.run(
            ["systemctl", "show", "--property=LoadState", "--value", "--", service],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True,
        )
        if known.stdout.strip() == "not-found":
            return None
        return ["systemctl", act, "--", service]
    script = os.path.join("/etc/init.d", service)
    if os.path.basename(service) == service and os.access(script, os.X_OK):
        return [script, act]
    return None


def main(act, service):
    if not act or not service or act.startswith("-") or service.startswith("-"):
        print("usage: service.py ACT SERVICE", file=sys.stderr)
        return 1
    words = command(act, service)
    if words is None:
        print("Unknown service: %s" % service, file=sys.stderr)
        return 2
    return subprocess.call(words)


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:3] + ["", ""])[:2]))
