"""A lease on a key, for asyncio."""
import asyncio
from typing import Any, Callable, Optional

from leasemap import lease_flows
from leasemap.aio.drive import Shell, sleep_until
from leasemap.core import Core
from leasemap.entry import Entry, Key, Value
from leasemap.errors import LeaseLostError
from leasemap.flows import Ack, set_
from leasemap.lease import LeaseFacts
from leasemap.lease_state import HELD, LOST


class Lease(LeaseFacts):
    """Made by aio.SyncMap.lease. In an `async with` block it is renewed in the background, and the block is cancelled
    when it is lost: the block then ends with LeaseLostError."""

    def __init__(self, core: Core, shell: Shell, key: Key, value: Optional[Value], duration: float, ephemeral: bool,
                 wait: Optional[float], ack: Ack, overwrite: Optional[bool] = None) -> None:
        self._core, self._shell, self.key = core, shell, key
        self._arguments = (value, duration, ephemeral)
        self._wait, self._ack = wait, ack
        self._overwrite = value is not None if overwrite is None else overwrite
        self._state = None
        self._over = asyncio.Event()
        self._task: Optional["asyncio.Task[Any]"] = None  # whose block is cancelled
        self._cancelled = False
        self._on_lost: list[Callable[["Lease"], Any]] = []
        core.key(key)

    async def acquire(self, wait: Optional[float] = -1.0) -> "Lease":
        """Takes the lease. LeaseHeldError if another holder has it and did not give it up within `wait` seconds (None:
        for ever; by default the `wait` of `SyncMap.lease`)."""
        if self._state and self._state.state == HELD:
            raise RuntimeError(f"the lease on {self.key!r} is held already; release it first")
        self._core.check()
        wait = self._wait if wait is not None and wait < 0 else wait
        self._over.clear()
        self._state = await self._shell.run(lease_flows.acquire(self._core, self.key, *self._arguments, wait, self._ack,
                                                                self._overwrite))
        self._state.on_end.append(self._ended)
        return self

    async def release(self) -> None:
        """Gives the lease up, so that others have it at once; waits 3 s at most. A lost one stays with who has it."""
        if self._state and self._state.state == HELD:
            # In a task of its own: who is cancelled meanwhile still gives the lease up.
            await asyncio.shield(self._shell.spawn(lease_flows.give_up(self._core, self._state)))

    async def set(self, value: Value, **options: Any) -> Entry:
        """Writes the key under the lease, as SyncMap.set; LeaseLostError, and nothing is written, if it is lost."""
        self.check()
        return await self._shell.run(set_(self._core, self.key, value, **options))

    async def wait(self, seconds: Optional[float] = None) -> bool:
        """Sleeps until the lease is over or `seconds` have passed; returns `held`."""
        await sleep_until(self._over, seconds)
        return self.held

    def on_lost(self, handler: Callable[["Lease"], Any]) -> None:
        """Calls `handler(lease)` when the lease is lost; soon if it is lost already."""
        self._on_lost.append(handler)
        if self._state and self._state.state == LOST:
            asyncio.get_running_loop().call_soon(handler, self)

    def _ended(self) -> None:
        self._over.set()
        if self._state and self._state.state == LOST:
            if self._task and not self._task.done():
                self._cancelled = True
                self._task.cancel()
            for handler in self._on_lost:
                asyncio.get_running_loop().call_soon(handler, self)

    async def __aenter__(self) -> "Lease":
        """Takes the lease, unless it was acquired already."""
        if not self._state or self._state.state != HELD:
            await self.acquire()
        self._task, self._cancelled = asyncio.current_task(), False
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        task, self._task = self._task, None
        state = self._state
        lost = state is not None and (state.state == LOST or state.overdue(self._core.now()))
        why = self._why()
        ours = False  # the cancellation is this lease's, and nobody else's
        if self._cancelled and task:
            if kind is None or not issubclass(kind, asyncio.CancelledError):
                # The block ended before the cancellation reached it: it is due at the next await.
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass
            others = task.uncancel() if hasattr(task, "uncancel") else 0
            ours = not others
        await self.release()
        if lost and (kind is None or (ours and issubclass(kind, asyncio.CancelledError))):
            raise LeaseLostError(f"the lease on {self.key!r} was lost while it was in use: {why}") from None
