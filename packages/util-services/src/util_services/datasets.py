"""Which objects under a prefix are new or changed, remembered in a cursor of bounded size."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_REMEMBERED = 10_000
_FINGERPRINT_BYTES = 8


@dataclass(frozen=True)
class S3Object:
    """An object as a listing shows it.

    Attributes:
        bucket: Bucket name.
        key: Object key.
        etag: ETag without quotes.
        last_modified: With time zone.
        size: Bytes.
    """

    bucket: str
    key: str
    etag: str
    last_modified: datetime
    size: int

    @property
    def run_key(self) -> str:
        """One run is requested for each of these."""
        return f"{self.bucket}:{self.key}:{self.etag}"

    @property
    def fingerprint(self) -> bytes:
        """Eight bytes that change with key, ETag, LastModified or Size."""
        state = "\0".join((self.key, self.etag, self.last_modified.isoformat(), str(self.size)))
        return hashlib.blake2b(state.encode(), digest_size=_FINGERPRINT_BYTES).digest()


@dataclass(frozen=True)
class Cursor:
    """What has been seen.

    Attributes:
        seen: Fingerprints of objects that were handed out and still exist.
        watermark: Objects not newer than this count as seen although their fingerprint was dropped.
    """

    seen: frozenset[bytes] = frozenset()
    watermark: datetime | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """Read a cursor; one that cannot be read counts as none (run keys keep finished work from being repeated)."""
        try:
            state = json.loads(text or "")
            packed = base64.b64decode(state["seen"])
            watermark = state["watermark"] and datetime.fromisoformat(state["watermark"])
        except (ValueError, KeyError, TypeError, binascii.Error):
            return cls()
        starts = range(0, len(packed), _FINGERPRINT_BYTES)
        return cls(frozenset(packed[start : start + _FINGERPRINT_BYTES] for start in starts), watermark or None)

    def dump(self) -> str:
        """Write the cursor as text: about 11 bytes an object."""
        packed = base64.b64encode(b"".join(sorted(self.seen))).decode()
        return json.dumps({"seen": packed, "watermark": self.watermark.isoformat() if self.watermark else None})


def changes(
    cursor: Cursor,
    listing: Iterable[S3Object],
    *,
    now: datetime,
    settle: timedelta,
    limit: int,
    remember: int = MAX_REMEMBERED,
) -> tuple[list[S3Object], Cursor]:
    """Find the objects that are new or changed since the cursor, oldest first.

    Args:
        cursor: What was seen before.
        listing: Every object under the prefix.
        now: The storage's clock.
        settle: Objects modified more recently than this are left for a later call: they may still be replaced.
        limit: Hand out at most so many; the rest follows in later calls.
        remember: Keep at most so many fingerprints. The oldest are dropped first and replaced by a watermark.

    Returns:
        The objects to handle, and the cursor that counts them as seen.
    """
    present = sorted(listing, key=lambda entry: (entry.last_modified, entry.key))
    unseen = [
        entry
        for entry in present
        if entry.fingerprint not in cursor.seen and not (cursor.watermark and entry.last_modified <= cursor.watermark)
    ]
    settled = [entry for entry in unseen if entry.last_modified <= now - settle]
    taken = settled[:limit]
    pending = settled[limit:]
    handed_out = {entry.fingerprint for entry in taken}
    known = [entry for entry in present if entry.fingerprint in cursor.seen or entry.fingerprint in handed_out]
    watermark = cursor.watermark
    if len(known) > remember:
        cutoff = known[len(known) - remember - 1].last_modified
        if pending:  # never count what is still to be handed out as seen
            cutoff = min(cutoff, pending[0].last_modified - timedelta(microseconds=1))
        watermark = max(cutoff, watermark) if watermark else cutoff
        known = [entry for entry in known if entry.last_modified > cutoff]
    return taken, Cursor(frozenset(entry.fingerprint for entry in known), watermark)
