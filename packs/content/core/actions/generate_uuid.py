import uuid

from st2common.runners.base_action import Action


class GenerateUUID(Action):
    """Makes a UUID as text."""

    def run(self, uuid_type):
        makers = {"uuid1": uuid.uuid1, "uuid4": uuid.uuid4}
        if uuid_type not in makers:
            raise ValueError("uuid_type is %r; it can be uuid1 or uuid4" % (uuid_type,))
        return str(makers[uuid_type]())
