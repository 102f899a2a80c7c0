"""The errors of Leasemap, one class for each thing that a program does about them, and how they are read off a call.

Every error has `code` (the gRPC code, as "NOT_FOUND"), `reason` (the server's constant, as "KEY_NOT_FOUND"; empty if
the error is not Leasemap's own, as of a broken connection), `message` (what to do), `metadata` (the server's further
facts) and `retry_after` (seconds after which trying again makes sense, or None).
"""
import datetime
from typing import Any, Mapping, Optional

from leasemap.internal import status_pb2


class LeasemapError(Exception):
    """Any error of this library."""

    def __init__(self, message: str, code: str = "", reason: str = "", metadata: Optional[Mapping[str, str]] = None,
                 retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.message, self.code, self.reason = message, code, reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason or self.code}: {self.message}" if self.reason or self.code else self.message


class KeyNotFoundError(LeasemapError, KeyError):
    """The key is not in the map. It is a KeyError too, so that the map behaves as a dict."""


class LeaseHeldError(LeasemapError):
    """Another holder's lease on the key is live. Wait until `expires`, or write as that holder.

    `holder` is who holds it, `expires` until when (UTC; None if the server did not say, as for an item of a batch).
    Other nodes still wait out the bound on clock skew after `expires`; `retry_after` contains it.
    """

    @property
    def holder(self) -> str:
        return self.metadata.get("holder", "")

    @property
    def expires(self) -> Optional[datetime.datetime]:
        return _time(self.metadata.get("expire_time", ""))


class LeaseLostError(LeasemapError):
    """A lease that this program held is no longer its own: what it guards may be another's already. The message says
    why."""


class VersionMismatchError(LeasemapError):
    """The key was changed meanwhile (if_version), or exists (if_absent). Read it again, then decide."""


class SupersededError(LeasemapError):
    """Another write replaced this one before it was acked. `version` is this write's."""

    @property
    def version(self) -> str:
        return self.metadata.get("version", "")

    @property
    def winner_version(self) -> str:
        return self.metadata.get("winner_version", "")

    @property
    def winner_holder(self) -> str:
        return self.metadata.get("winner_holder", "")


class AckIncompleteError(LeasemapError):
    """The write remains and spreads, but not all wanted nodes had it in time."""

    @property
    def version(self) -> str:
        return self.metadata.get("version", "")

    @property
    def acked(self) -> str:
        """The nodes that have it, as the server lists them."""
        return self.metadata.get("acked", "")

    @property
    def not_acked(self) -> str:
        return self.metadata.get("not_acked", "")


class InvalidError(LeasemapError, ValueError):
    """The request breaks a limit or a rule of the API (docs/limits.md); nothing was changed."""


class LimitError(LeasemapError):
    """A node has no room for more: keys, bytes, watches or waits. The message says of what and what to raise."""


class UnavailableError(LeasemapError):
    """No node answered in time, or each answered that it does not serve now. A write that failed so may have been
    done."""


class UnauthenticatedError(LeasemapError):
    """The nodes do not know the caller: the token or certificate is missing, or is none that they know. Nothing was
    changed."""


class PermissionDeniedError(LeasemapError):
    """The nodes know the caller and do not allow it this: the key or prefix, or the name of the holder, is beyond its
    rights. Nothing was changed."""


class UnsupportedError(LeasemapError):
    """The server does not support the call, as leases on a cluster with leasing off."""


class CursorError(LeasemapError):
    """A watch can't resume from its cursor. SyncMap takes a new snapshot by itself; programs do not meet this error."""


class ClosedError(LeasemapError):
    """The map was closed."""


class BatchError(LeasemapError):
    """Some keys of an update were refused; the others are written. `failed` has the error of each refused key."""

    def __init__(self, failed: Mapping[Any, LeasemapError]) -> None:
        key, first = next(iter(failed.items()))
        super().__init__(f"{len(failed)} of the keys were refused, {key!r} first: {first}", first.code, first.reason)
        self.failed = dict(failed)


# By reason first, then by code.
_REASONS: dict[str, type[LeasemapError]] = {
    "KEY_NOT_FOUND": KeyNotFoundError, "LEASE_HELD": LeaseHeldError, "VERSION_MISMATCH": VersionMismatchError,
    "SUPERSEDED": SupersededError, "ACK_INCOMPLETE": AckIncompleteError, "CURSOR_EXPIRED": CursorError,
    "CURSOR_INVALID": CursorError}
_CODES: dict[str, type[LeasemapError]] = {
    "INVALID_ARGUMENT": InvalidError, "RESOURCE_EXHAUSTED": LimitError, "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": UnavailableError, "UNKNOWN": UnavailableError, "INTERNAL": UnavailableError,
    "CANCELLED": UnavailableError, "UNIMPLEMENTED": UnsupportedError, "UNAUTHENTICATED": UnauthenticatedError,
    "PERMISSION_DENIED": PermissionDeniedError}
# The names of the canonical codes, by number: items of a batch carry the number alone.
_NAMES = ("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
          "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
          "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED")


def decode(code: str, message: str, details: bytes = b"") -> LeasemapError:
    """The error of a call that ended with this code and message; `details` is its grpc-status-details-bin trailer."""
    reason, metadata, retry_after = "", {}, None
    try:
        status = status_pb2.Status.FromString(details)
        for detail in status.details:
            name = detail.type_url.rpartition("/")[2]
            if name == "google.rpc.ErrorInfo":
                info = status_pb2.ErrorInfo.FromString(detail.value)
                if info.domain == "leasemap":
                    reason, metadata = info.reason, dict(info.metadata)
            elif name == "google.rpc.RetryInfo":
                delay = status_pb2.RetryInfo.FromString(detail.value).retry_delay
                retry_after = delay.seconds + delay.nanos / 1e9
    except Exception:  # bytes that a proxy spoilt: code and message still stand
        pass
    return _make(code, message, reason, metadata, retry_after)


def decode_item(code: int, message: str, reason: str) -> LeasemapError:
    """The error of one item of a batch."""
    return _make(_NAMES[code] if 0 <= code < len(_NAMES) else "UNKNOWN", message, reason, {}, None)


def _make(code: str, message: str, reason: str, metadata: Mapping[str, str],
          retry_after: Optional[float]) -> LeasemapError:
    kind = _REASONS.get(reason) or _CODES.get(code, LeasemapError)
    return kind(message, code, reason, metadata, retry_after)


def _time(text: str) -> Optional[datetime.datetime]:
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
