"""Names that only who holds a key can link to anybody: HMAC-SHA256 (RFC 2104).

The key is a file beside the catalog that nobody but its owner may read. The trail, whose rows can
never be changed, names people by nothing else. Whoever destroys the key makes these names
unlinkable for good, and with them the memory of who was forgotten.
"""

import hashlib
import hmac
import os
from pathlib import Path

from .durable import write_durably
from .errors import StoreError

__all__ = ["KEY_FILE", "keyed", "keyed_sql", "known_key", "made_key"]

KEY_FILE = "pseudonyms.key"
"The name of the file with the key, in the data folder."
_BYTES = 32
_BLOCK = 64  # bytes of a block of SHA-256


def known_key(root: Path) -> bytes | None:
    "The key of a folder, None where it has none. StoreError where it cannot be read."
    path = Path(root) / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"the key {path} cannot be read: {error}.") from None
    if len(key) != _BYTES:
        raise StoreError(f"the key {path} has {len(key)} bytes instead of {_BYTES}.")
    return key


def made_key(root: Path) -> bytes:
    "The key of a folder, made where it has none: call it with the folder held."
    key = known_key(root)
    if key is None:
        key = os.urandom(_BYTES)
        write_durably(Path(root) / KEY_FILE, f"{key.hex()}\n", 0o600)
    return key


def keyed(key: bytes, kind: str, name: str) -> str:
    "The keyed hash of a name of some kind (entity, prediction, case), as 64 hex digits."
    told = f"{kind}:{name}".encode(errors="surrogateescape")
    return hmac.new(key, told, hashlib.sha256).hexdigest()


def keyed_sql(key: bytes, kind: str, column: str) -> str:
    "`keyed` of a column as SQL; the kind and the column are the project's own words."
    outer, inner = (_blob(bytes(b ^ pad for b in key.ljust(_BLOCK, b"\0"))) for pad in (0x5C, 0x36))
    told = f"encode('{kind}:' || {column})"
    return f"sha256({outer} || unhex(sha256({inner} || {told})))"


def _blob(value):
    return f"unhex('{value.hex()}')"
