"""Drives flows (leasemap/core.py) in an event loop."""
import asyncio
import logging
from typing import Any, Callable, Mapping, Optional, cast

import grpc

from leasemap import channels
from leasemap.access import Access
from leasemap.core import PRINCIPAL, Call, Core, Flow, Pause, Spawn, T
from leasemap.errors import ClosedError, LeasemapError
from leasemap.retry import ATTEMPT_S

log = logging.getLogger("leasemap")

# No call of a flow takes longer (s): the longest is one that waits for acks.
CALLS_END_S = 10 * ATTEMPT_S


class Shell:
    """What flows need of the world. All of it belongs to one event loop."""

    def __init__(self, core: Core, access: Optional[Access] = None) -> None:
        self.core, self._access = core, access or Access()
        self._names: Mapping[str, str] = {}  # of each target
        self._open: dict[str, channels.Node] = {}
        self._tasks: set["asyncio.Task[Any]"] = set()

    def node(self, target: str) -> channels.Node:
        """The channel of a node, made when it is first asked."""
        if target not in self._open:
            self.core.check()
            self._open[target] = channels.Node(grpc.aio, self._access, target, self._names.get(target, target))
        return self._open[target]

    def failed(self, node: channels.Node, error: Any) -> LeasemapError:
        """The typed error of a call to this node. After new certificates the next call makes a new channel."""
        typed = channels.to_error(error)
        if node.outdated(typed):
            self._open = {target: each for target, each in self._open.items() if each is not node}
            self._close_later(node)
        return typed

    async def keep_only(self, names: Mapping[str, str]) -> None:
        """These are the nodes now: closes the channels of those that are no longer endpoints."""
        self._names = names
        for target in [target for target in self._open if target not in names]:
            node = self._open.pop(target)
            if self.core.closed:
                await node.channel.close()
            else:
                self._close_later(node)

    def _close_later(self, node: channels.Node) -> None:
        """Closes a channel once the calls on it have ended: a call that is cut off looks like a task that is
        cancelled."""
        task = asyncio.get_running_loop().create_task(node.channel.close(CALLS_END_S))
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
        await self.keep_only({})

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
        node = self.node(effect.target)
        try:
            if effect.method == PRINCIPAL:
                return await self._principal(node, effect)
            return await node.method(effect.method)(effect.request, timeout=effect.timeout, metadata=node.metadata())
        except grpc.RpcError as error:
            raise self.failed(node, error) from None
        except (grpc.aio.UsageError, asyncio.CancelledError):
            if self.core.closed:  # the channel was closed under the call
                raise ClosedError("this map was closed; make a new one") from None
            raise


    async def _principal(self, node: channels.Node, effect: Call) -> str:
        call = node.method(effect.method)(b"", timeout=effect.timeout, metadata=node.metadata())
        try:
            await call
        except grpc.RpcError as error:
            told = channels.principal_of_error(error)
            if told is None:
                raise
            return told
        return channels.principal(await call.trailing_metadata())


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
