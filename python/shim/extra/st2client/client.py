"""A client of the HTTP API with the rights of the running execution."""

import http.client
import json
import os
from urllib.parse import urlsplit

from st2client import models
from st2client.models.core import ResourceManager
from st2client.models.keyvalue import KeyValuePair

__all__ = ["Client", "APIError"]

TIMEOUT = 60  # seconds
MAX_ANSWER = 64 << 20  # bytes

_RAISE = object()


class APIError(Exception):
    """The server refused a request."""

    def __init__(self, status, reason, message):
        self.status_code = status
        kind = "Client" if status < 500 else "Server"
        super().__init__("%d %s Error: %s\nMESSAGE: %s" % (status, kind, reason, message))


class Client:
    """The API. Without arguments it uses the execution's address and token."""

    def __init__(self, base_url=None, auth_url=None, api_url=None, stream_url=None, api_version=None,
                 cacert=None, debug=False, token=None, api_key=None, basic_auth=None):
        env = os.environ
        if not api_url and base_url:
            api_url = "%s:9101/%s" % (base_url, api_version or "v1")
        self.api_url = (api_url or env.get("ST2_API_URL") or env.get("ST2_ACTION_API_URL") or "").rstrip("/")
        self.token = token or env.get("ST2_AUTH_TOKEN") or env.get("ST2_ACTION_AUTH_TOKEN")
        self.api_key = api_key or env.get("ST2_API_KEY")
        self.cacert = cacert
        self.keys = ResourceManager(KeyValuePair, self)
        self.executions = self.liveactions = ResourceManager(models.Execution, self)
        self.actions = ResourceManager(models.Action, self)
        self.rules = ResourceManager(models.Rule, self)
        self.triggers = ResourceManager(models.Trigger, self)
        self.triggerinstances = ResourceManager(models.TriggerInstance, self)

    def get_user_info(self, **kwargs):
        return self.request("GET", "/user")

    def request(self, method, path, body=None, missing=_RAISE):
        """Make a request; gives the answer's JSON, or missing when there is no such thing."""
        url = urlsplit(self.api_url)
        if url.scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self.cacert if isinstance(self.cacert, str) else None)
            if self.cacert is False:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            conn = http.client.HTTPSConnection(url.netloc, timeout=TIMEOUT, context=context)
        elif url.scheme == "http":
            conn = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT)
        else:
            raise ValueError("The address of the API is not known (%r)." % self.api_url)
        headers = {"Accept": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        elif self.api_key:
            headers["St2-Api-Key"] = self.api_key
        data = None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            headers["Content-Type"] = "application/json"
        try:
            conn.request(method, url.path + path, body=data, headers=headers)
            answer = conn.getresponse()
            raw = answer.read(MAX_ANSWER + 1)
        finally:
            conn.close()
        if len(raw) > MAX_ANSWER:
            raise ValueError("The answer to %s %s is larger than %d bytes." % (method, path, MAX_ANSWER))
        if answer.status == 404 and missing is not _RAISE:
            return missing
        try:
            doc = json.loads(raw.decode("utf-8")) if raw.strip() else None
        except ValueError:
            doc = raw.decode("utf-8", "replace")
        if answer.status >= 300:
            fault = doc.get("faultstring", "") if isinstance(doc, dict) else doc
            raise APIError(answer.status, answer.reason, fault)
        return doc
