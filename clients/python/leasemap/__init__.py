"""Leasemap: a dict that many machines share, with leases.

    import leasemap

    with leasemap.SyncMap("127.0.0.1:7400,127.0.0.1:7410", lease=0) as m:
        m["color"] = "blue"                        # refused if another holder's lease is live: LeaseHeldError
        print(m["color"], m.get("shape", "none"))  # reads ask nobody
        with m.lease("job") as lease:              # renewed in the background
            work(lease.fencing_token)

leasemap.aio has the same for asyncio, leasemap.compat the ancestor's sync_socket. Times are seconds, unless a name says
otherwise.
"""
from leasemap.access import from_environment
from leasemap.entry import Entry, Event, Key, Value
from leasemap.errors import (
    AckIncompleteError, BatchError, ClosedError, CursorError, InvalidError, KeyNotFoundError, LeaseHeldError,
    LeaseLostError, LeasemapError, LimitError, PermissionDeniedError, SupersededError, UnauthenticatedError,
    UnavailableError, UnsupportedError, VersionMismatchError)
from leasemap.lease import Lease
from leasemap.patterns import Election, Lock, Registry
from leasemap.sync_map import SyncMap

__all__ = [
    "AckIncompleteError", "BatchError", "ClosedError", "CursorError", "Election", "Entry", "Event", "InvalidError",
    "Key", "KeyNotFoundError", "Lease", "LeaseHeldError", "LeaseLostError", "LeasemapError", "LimitError", "Lock",
    "PermissionDeniedError", "Registry", "SupersededError", "SyncMap", "UnauthenticatedError", "UnavailableError",
    "UnsupportedError", "Value", "VersionMismatchError", "from_environment"]
__version__ = "0.1.0"
