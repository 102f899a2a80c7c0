"""Leasemap for asyncio.

    from leasemap import aio

    async with aio.SyncMap("127.0.0.1:7400,127.0.0.1:7410") as m:
        await m.set("color", "blue")
        print(m["color"])                     # reads ask nobody, and are not awaited
        async with m.lease("job") as lease:   # the block is cancelled when the lease is lost
            await work(lease.fencing_token)

The errors, Entry and Event are those of leasemap. A map belongs to the event loop in which it was opened.
"""
from leasemap.aio.lease import Lease
from leasemap.aio.patterns import Election, Lock, Registry
from leasemap.aio.sync_map import SyncMap

__all__ = ["Election", "Lease", "Lock", "Registry", "SyncMap"]
