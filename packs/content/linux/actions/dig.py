import random
import subprocess

from st2common.runners.base_action import Action


class Dig(Action):
    """Asks the name service with the program dig and gives the lines of its answer."""

    def run(self, hostname, queryopts="short", rand=False, nameserver=None, count=0, querytype="A"):
        words = ["dig"]
        if nameserver:
            words.append("@" + plain(nameserver, "nameserver"))
        words += [plain(hostname, "hostname"), plain(querytype, "querytype")]
        words += ["+" + option.strip() for option in (queryopts or "").split(",") if option.strip()]
        try:
            done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        except FileNotFoundError:
            return False, "The program dig is not installed: install dnsutils (Debian, Ubuntu) or bind-utils (Red Hat)."
        if done.returncode != 0:
            return False, (done.stderr or done.stdout).strip()
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        if querytype.upper() == "TXT":
            lines = [line.replace('"', "") for line in lines]
        if rand:
            random.shuffle(lines)
        return lines[:count] if count > 0 else lines


def plain(word, name):
    """A word that dig cannot take for an option."""
    if word.startswith(("-", "+", "@")):
        raise ValueError("%s is %r, which starts like an option of dig" % (name, word))
    return word
