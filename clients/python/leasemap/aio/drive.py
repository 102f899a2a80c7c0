"""Drives flows (leasemap/core.py) in an event loop."""
import asyncio
import logging
from typing import Any, Callable, Iterable, Optional, cast

import grpc

from leasemap import channels
from leasemap.core import Call, Core, Flow, Pause, Spawn, T
from leasemap.errors import ClosedError
from leasemap.retry import ATTEMPT_S
from leasemap.v1 import key_value_pb2_grpc

log = logging.getLogger("leasemap")

# No call of a flow takes longer (s): the longest is one that waits for acks.
CALLS_END_S = 10 * ATTEMPT_S


class Shell:
    """What flows need of the world. All of it belongs to one event loop."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._open: dict[str, tuple[Any, Any]] = {}
        self._tasks: set["asyncio.Task[Any]"] = set()

    def stub(self, target: str) -> Any:
        if target not in self._open:
            self.core.check()
            channel = grpc.aio.insecure_channel(channels.uri(target), channels.OPTIONS)
            self._open[target] = channel, key_value_pb2_grpc.KeyValueStub(channel)  # type: ignore[no-untyped-call]
        return self._open[target][1]

    async def keep_only(self, targets: Iterable[str]) -> None:
        """Closes the channels of nodes that are no longer endpoints, once the calls on them have ended: a call that is
        cut off looks like a task that is cancelled."""
        for target in [target for target in self._open if target not in targets]:
            channel = self._open.pop(target)[0]
            if self.core.closed:
                await channel.close()
            else:
                task = asyncio.get_running_loop().create_task(channel.close(CALLS_END_S))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def run(self, flow: Flow[T]) -> T:
        """Carries a flow through and returns what it returns."""
        step: Callable[[Any], Any] = flow.send
        value: Any = None
        while True:
            try:
                effect = step(value)
            except StopIteration as done:
                return cast(T, done.value)
            try:
                step, value = flow.send, await self._perform(effect)
            except BaseException as error:  # CancelledError too: the flow gives up what it has in hand
                step, value = flow.throw, error

    def spawn(self, flow: Flow[Any]) -> "asyncio.Task[Any]":
        """Carries a flow on in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._run_to_end(flow))
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.keep_only([])

    async def _run_to_end(self, flow: Flow[Any]) -> None:
        try:
            await self.run(flow)
        except ClosedError:
            pass
        except Exception:
            log.exception("a background task of the map failed")

    async def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Call):
            return await self._call(effect)
        if isinstance(effect, Pause):
            return await pause(effect)
        if isinstance(effect, Spawn):
            self.spawn(effect.flow)
        return None

    async def _call(self, effect: Call) -> Any:
        try:
            return await getattr(self.stub(effect.target), effect.method)(effect.request, timeout=effect.timeout)
        except grpc.RpcError as error:
            raise channels.to_error(error) from None
        except (grpc.aio.UsageError, asyncio.CancelledError):
            if self.core.closed:  # the channel was closed under the call
                raise ClosedError("this map was closed; make a new one") from None
            raise


async def pause(effect: Pause) -> None:
    woken = asyncio.Event()
    if effect.signal:
        effect.signal.on_set(woken.set)
    try:
        await sleep_until(woken, effect.seconds)
    finally:
        if effect.signal:
            effect.signal.on_set(None)


async def sleep_until(event: asyncio.Event, seconds: Optional[float]) -> None:
    """Until the event is set, or for this time (None: for ever). Before Python 3.12 asyncio.wait_for may swallow a
    cancellation that comes together with the event."""
    if event.is_set() or seconds is None:
        await event.wait()
        return
    woken = asyncio.get_running_loop().create_future()

    def wake(*_: object) -> None:
        if not woken.done():
            woken.set_result(None)
    timer = asyncio.get_running_loop().call_later(max(0.0, seconds), wake)
    waiter = asyncio.ensure_future(event.wait())
    waiter.add_done_callback(wake)
    try:
        await woken
    finally:
        timer.cancel()
        waiter.cancel()
