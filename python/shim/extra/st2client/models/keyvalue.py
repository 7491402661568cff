"""A key of the datastore."""

from st2client.models.core import Resource

__all__ = ["KeyValuePair"]


class KeyValuePair(Resource):
    _plural = "Keys"
    _repr_attributes = ["name", "value"]

    def __init__(self, *args, **kwargs):
        # A key's id is its name.
        kwargs.pop("id", None)
        super().__init__(*args, **kwargs)

    @property
    def id(self):
        return self.name

    @id.setter
    def id(self, value):
        pass
