import os
import shutil
import subprocess

from petrel_api import API, APIError, quote
from st2common.runners.base_action import Action


class GetInstalledPack(Action):
    """Tells of a registered pack, and what git says of its folder."""

    def run(self, pack, branch="master"):
        try:
            found = API().get("/packs/%s" % quote(pack))
        except APIError as error:
            if error.status == 404:
                return {"pack": None, "git_status": None}
            return False, str(error)
        return {"pack": found, "git_status": git_status(found.get("path"), branch)}


def git_status(folder, branch):
    """How a folder differs from a branch; None for what is not a git folder here."""
    if not folder or not os.path.isdir(os.path.join(folder, ".git")) or not shutil.which("git"):
        return None
    # Programs that the folder's own configuration names are not run.
    git = ["git", "-C", folder, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    status = subprocess.run(git + ["status", "--short", "--branch"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    text = status.stdout.strip()
    if status.returncode == 0 and not branch.startswith("-"):
        ahead = subprocess.run(git + ["rev-list", "--count", "origin/%s..HEAD" % branch, "--"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
        if ahead.returncode == 0:
            text += "\n%s commits ahead of origin/%s" % (ahead.stdout.strip(), branch)
    return text
