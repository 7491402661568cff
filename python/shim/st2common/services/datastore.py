"""The datastore as actions see it, over the server's HTTP API."""

import os

from st2common.constants.keyvalue import DATASTORE_KEY_SEPARATOR, SYSTEM_SCOPE

__all__ = ["BaseDatastoreService", "ActionDatastoreService"]

MAX_PAGE_SIZE = 100


class BaseDatastoreService:
    """Keys of the scope "system"; local ones belong to a pack and a class."""

    DATASTORE_NAME_SEPARATOR = DATASTORE_KEY_SEPARATOR

    def __init__(self, logger, pack_name, class_name):
        self._logger = logger
        self._pack_name = pack_name
        self._class_name = class_name
        self._client = None

    def get_api_client(self):
        raise NotImplementedError("get_api_client() not implemented")

    def get_user_info(self):
        """Who the action runs for: username, authentication, rbac."""
        client = self.get_api_client()
        self._logger.debug("Retrieving user information")
        return client.get_user_info()

    def list_values(self, local=True, prefix=None, limit=None, offset=0):
        """Keys as objects with name and value."""
        client = self.get_api_client()
        self._logger.debug("Retrieving all the values from the datastore")
        return client.keys.get_all(
            prefix=self._get_full_key_prefix(local=local, prefix=prefix),
            limit=limit or MAX_PAGE_SIZE,
            offset=offset,
        )

    def get_value(self, name, local=True, scope=SYSTEM_SCOPE, decrypt=False):
        """A value, or None when there is none or it cannot be had."""
        self._check_scope(scope)
        name = self._get_full_key_name(name=name, local=local)
        client = self.get_api_client()
        self._logger.debug("Retrieving value from the datastore (name=%s)", name)
        try:
            kvp = client.keys.get_by_id(
                id=name, params={"decrypt": str(decrypt).lower(), "scope": scope}
            )
        except Exception as e:
            self._logger.exception(
                "Exception retrieving value from datastore (name=%s): %s", name, e
            )
            return None
        return kvp.value if kvp else None

    def set_value(self, name, value, ttl=None, local=True, scope=SYSTEM_SCOPE, encrypt=False):
        """Set a value; it is stored as text."""
        from st2client.models.keyvalue import KeyValuePair

        self._check_scope(scope)
        name = self._get_full_key_name(name=name, local=local)
        value = str(value)
        client = self.get_api_client()
        self._logger.debug("Setting value in the datastore (name=%s)", name)
        instance = KeyValuePair(name=name, value=value, scope=scope)
        if encrypt:
            instance.secret = True
        if ttl:
            instance.ttl = ttl
        client.keys.update(instance=instance)
        return True

    def delete_value(self, name, local=True, scope=SYSTEM_SCOPE):
        """Delete a key; False when that failed."""
        from st2client.models.keyvalue import KeyValuePair

        self._check_scope(scope)
        name = self._get_full_key_name(name=name, local=local)
        client = self.get_api_client()
        self._logger.debug("Deleting value from the datastore (name=%s)", name)
        try:
            client.keys.delete(instance=KeyValuePair(name=name), params={"scope": scope})
        except Exception as e:
            self._logger.exception(
                "Exception deleting value from datastore (name=%s): %s", name, e
            )
            return False
        return True

    @staticmethod
    def _check_scope(scope):
        if scope != SYSTEM_SCOPE:
            raise ValueError("Scope %s is unsupported." % scope)

    def _get_datastore_key_prefix(self):
        return "%s.%s" % (self._pack_name, self._class_name)

    def _get_full_key_name(self, name, local):
        if local:
            name = self._get_datastore_key_prefix() + self.DATASTORE_NAME_SEPARATOR + name
        return name

    def _get_full_key_prefix(self, local, prefix=None):
        if not local:
            return prefix
        return self._get_datastore_key_prefix() + self.DATASTORE_NAME_SEPARATOR + (prefix or "")


class ActionDatastoreService(BaseDatastoreService):
    """The datastore with the rights of one execution's token."""

    def __init__(self, logger, pack_name, class_name, auth_token):
        super().__init__(logger, pack_name, class_name)
        self._auth_token = auth_token

    def get_api_client(self):
        if not self._client:
            from st2client.client import Client

            self._logger.debug("Creating new Client object.")
            self._client = Client(
                api_url=os.environ.get("ST2_ACTION_API_URL"), token=self._auth_token
            )
        return self._client
