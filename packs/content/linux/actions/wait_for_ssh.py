import os
import shutil
import socket
import subprocess
import time

from st2common.runners.base_action import Action


class WaitForSSH(Action):
    """Waits until an SSH server lets the user in. The machine's ssh client does
    the login; a password needs the program sshpass beside it."""

    def run(self, hostname, port=22, username="stanley", password=None, keyfile=None, ssh_timeout=5, sleep_delay=20, retries=10, **_):
        for attempt in range(retries):
            try:
                self.attempt(hostname, port, username, password, keyfile, ssh_timeout)
                return True
            except Refused as reason:
                self.logger.info("attempt %d of %d: %s", attempt + 1, retries, reason)
            if attempt + 1 < retries:
                time.sleep(sleep_delay)
        raise RuntimeError("Exceeded max retries (%d)" % retries)

    def attempt(self, hostname, port, username, password, keyfile, timeout):
        if hostname.startswith("-") or username.startswith("-"):
            raise ValueError("hostname and username must not start with a dash")
        try:
            with socket.create_connection((hostname, port), timeout=timeout) as connection:
                connection.settimeout(timeout)
                if not connection.recv(255).startswith(b"SSH-"):
                    raise Refused("what answers is not an SSH server")
        except OSError as error:
            raise Refused(str(error)) from None
        if not shutil.which("ssh"):
            raise RuntimeError("The program ssh is not installed on this machine.")
        words = ["ssh", "-o", "ConnectTimeout=%d" % timeout, "-o", "StrictHostKeyChecking=accept-new", "-p", str(port), "-l", username]
        environment = dict(os.environ)
        if password:
            if not shutil.which("sshpass"):
                raise RuntimeError("A login by password needs the program sshpass, which is not installed.")
            environment["SSHPASS"] = password
            words = ["sshpass", "-e"] + words
        else:
            words += ["-o", "BatchMode=yes"]
        if keyfile:
            words += ["-i", keyfile]
        done = subprocess.run(
            words + ["--", hostname, "true"], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
        )
        if done.returncode != 0:
            raise Refused(done.stderr.strip() or "ssh ended with code %d" % done.returncode)


class Refused(Exception):
    """The server is not there yet or did not let us in."""
