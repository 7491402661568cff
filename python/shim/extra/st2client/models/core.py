"""Resources and the requests about them."""

import json
from urllib.parse import quote, urlencode

__all__ = ["Resource", "ResourceManager"]


class Resource:
    """An object of the API; what it holds are attributes."""

    _plural = None
    _url_path = None
    _repr_attributes = []

    def __init__(self, *args, **kwargs):
        for key, value in kwargs.items():
            setattr(self, key, value)

    def to_dict(self, exclude_attributes=None):
        exclude = exclude_attributes or []
        return {k: v for k, v in self.__dict__.items() if not k.startswith("__") and k not in exclude}

    def serialize(self):
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    @classmethod
    def deserialize(cls, doc):
        if not isinstance(doc, dict):
            doc = json.loads(doc)
        return cls(**doc)

    @classmethod
    def get_url_path_name(cls):
        return cls._url_path or cls._plural.lower()

    def __repr__(self):
        shown = self._repr_attributes
        if not shown:
            return super().__repr__()
        return "<%s %s>" % (type(self).__name__, ",".join("%s=%s" % (a, getattr(self, a, None)) for a in shown))


class ResourceManager:
    """Requests about one kind of resource."""

    def __init__(self, resource, client):
        self.resource = resource
        self.client = client

    def _path(self, *parts, params=None):
        path = "/" + "/".join([self.resource.get_url_path_name()] + [quote(str(p), safe=":@") for p in parts])
        if params:
            path += "?" + urlencode(params, doseq=True)
        return path

    def get_all(self, **kwargs):
        params = dict(kwargs.pop("params", None) or {})
        for name in ("limit", "pack", "prefix", "user", "offset"):
            if kwargs.get(name):
                params[name] = kwargs[name]
        items = self.client.request("GET", self._path(params=params))
        return [self.resource.deserialize(i) for i in items]

    def get_by_id(self, id, params=None, **kwargs):
        item = self.client.request("GET", self._path(id, params=params), missing=None)
        return None if item is None else self.resource.deserialize(item)

    def get_by_ref_or_id(self, ref_or_id, **kwargs):
        return self.get_by_id(ref_or_id, **kwargs)

    def get_by_name(self, name, **kwargs):
        items = self.query(name=name, **kwargs)
        if len(items) > 1:
            raise Exception('More than one %s named "%s" are found.' % (self.resource.__name__.lower(), name))
        return items[0] if items else None

    def query(self, params=None, **kwargs):
        params = dict(params or {}, **kwargs)
        if not params:
            raise Exception("Query parameter is not provided.")
        items = self.client.request("GET", self._path(params=params), missing=[])
        return [self.resource.deserialize(i) for i in items]

    def create(self, instance, **kwargs):
        return self.resource.deserialize(self.client.request("POST", self._path(), instance.serialize()))

    def update(self, instance, **kwargs):
        return self.resource.deserialize(self.client.request("PUT", self._path(instance.id), instance.serialize()))

    def delete(self, instance, params=None, **kwargs):
        return self.delete_by_id(instance.id, params=params)

    def delete_by_id(self, instance_id, params=None, **kwargs):
        self.client.request("DELETE", self._path(instance_id, params=params), missing=None)
        return True
