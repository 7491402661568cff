"""Calls the API of the server that runs the action, with the rights of the user
the action runs for. Standard library only."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

# The largest answer that is read; results of executions are bounded below it.
MAX_ANSWER = 32 << 20


class APIError(Exception):
    """The server refused; the text is the server's own."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class API:
    def __init__(self, url=None, token=None, timeout=30):
        self.url = (url or os.environ.get("ST2_ACTION_API_URL") or "").rstrip("/")
        if not self.url:
            raise APIError(0, "ST2_ACTION_API_URL is not set: the action does not run under a server")
        self.token = token or os.environ.get("ST2_ACTION_AUTH_TOKEN") or ""
        self.timeout = timeout

    def get(self, path, **query):
        return self.call("GET", path, query=query)[0]

    def page(self, path, **query):
        """A list, and how many there are in all."""
        items, headers = self.call("GET", path, query=query)
        try:
            total = int(headers.get("X-Total-Count", ""))
        except ValueError:
            total = len(items)
        return items, total

    def post(self, path, body):
        return self.call("POST", path, body=body)[0]

    def put(self, path, body):
        return self.call("PUT", path, body=body)[0]

    def delete(self, path):
        return self.call("DELETE", path)[0]

    def call(self, method, path, query=None, body=None):
        url = self.url + path
        query = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        if query:
            url += "?" + urllib.parse.urlencode(query)
        headers = {"Accept": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                text = answer.read(MAX_ANSWER + 1)
                if len(text) > MAX_ANSWER:
                    raise APIError(0, "the server's answer is over the limit of %d bytes" % MAX_ANSWER)
                return (json.loads(text.decode()) if text.strip() else None), answer.headers
        except urllib.error.HTTPError as error:
            raise APIError(error.code, fault(error)) from None
        except urllib.error.URLError as error:
            raise APIError(0, "the server cannot be reached: %s" % error.reason) from None


def fault(error):
    """The server's sentence, or the status when it sent none."""
    text = error.read(64 << 10).decode("utf-8", "replace")
    try:
        return str(json.loads(text)["faultstring"])
    except (ValueError, KeyError, TypeError):
        return "%s %s" % (error.code, error.reason)


def quote(part):
    """A piece of a path: everything that means something in a path is escaped."""
    return urllib.parse.quote(str(part), safe="")
