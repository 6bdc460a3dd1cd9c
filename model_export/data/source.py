"""Where data came from, and how it is divided in time."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from model_export.errors import DataError

ENCODED = {
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
}
"""First bytes of text in a form that is not read, and what it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """`description` names the origin and says what was changed in the data on the way in."""

    description: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Split:
    """Training is [0, train), validation [train, validation), test [validation, total)."""

    train: int
    validation: int
    total: int


def read_bytes(path: Path) -> bytes:
    """Raises DataError where the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def decode(content: bytes, origin: str) -> str:
    """UTF-8 text with a leading byte order mark dropped; raises DataError on other bytes."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{origin}, line {line}: bad byte 0x{content[error.start]:02x} at offset "
            f"{error.start}; save the file as UTF-8"
        ) from error


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return sha256(content).hexdigest()
