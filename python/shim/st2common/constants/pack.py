"""Names of packs with a meaning of their own."""

SYSTEM_PACK_NAME = "core"
PACKS_PACK_NAME = "packs"
LINUX_PACK_NAME = "linux"
CHATOPS_PACK_NAME = "chatops"
DEFAULT_PACK_NAME = "default"
SYSTEM_PACK_NAMES = [CHATOPS_PACK_NAME, SYSTEM_PACK_NAME, LINUX_PACK_NAME, PACKS_PACK_NAME]
MANIFEST_FILE_NAME = "pack.yaml"
