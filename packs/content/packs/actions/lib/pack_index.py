"""Reads the index of packs. The pack's configuration may name another one as
index_url, or several separated by commas: of two entries the earlier one counts."""

import json
import urllib.error
import urllib.request

DEFAULT_URL = "https://index.stackstorm.org/v1/index.json"
MAX_INDEX = 32 << 20
TIMEOUT = 30


class NoIndex(Exception):
    """No index could be read."""


def entries(config):
    """The packs of all indexes by name."""
    urls = [url.strip() for url in str((config or {}).get("index_url") or DEFAULT_URL).split(",") if url.strip()]
    packs, reasons = {}, []
    for url in urls:
        try:
            for name, pack in read(url).items():
                packs.setdefault(name, pack)
        except NoIndex as error:
            reasons.append(str(error))
    if not packs:
        raise NoIndex("; ".join(reasons) or "the index of packs is empty")
    return packs


def read(url):
    if not url.startswith(("https://", "http://")):
        raise NoIndex("%s is not an http or https URL" % url)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            text = answer.read(MAX_INDEX + 1)
    except (urllib.error.URLError, OSError) as error:
        raise NoIndex("%s: %s" % (url, error)) from None
    if len(text) > MAX_INDEX:
        raise NoIndex("%s is over the limit of %d bytes" % (url, MAX_INDEX))
    try:
        packs = json.loads(text.decode())["packs"]
        if not isinstance(packs, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise NoIndex("%s is not an index of packs" % url) from None
    return packs
