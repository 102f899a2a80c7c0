"""SyncMap for asyncio: reading is a Mapping, writing is awaited."""
import asyncio
import collections.abc
import functools
import inspect
import logging
import socket
from typing import Any, Iterable, Optional, Union

import grpc

from leasemap import channels, flows, handlers, lease_flows
from leasemap.access import Access
from leasemap.aio.drive import Shell
from leasemap.aio.lease import Lease
from leasemap.core import Core, Flow, T
from leasemap.entry import Entry, Key, Value, to_bytes
from leasemap.errors import LeasemapError, UnavailableError
from leasemap.flows import MISSING, Ack
from leasemap.retry import refuses, split
from leasemap.view import View

log = logging.getLogger("leasemap")


class SyncMap(View):
    """A dict that many programs share, for asyncio. Arguments, meaning and errors are those of leasemap.SyncMap. Open
    it by `async with`, or by `await m.open()` and later `await m.close()`. Handlers of `on` may be coroutine
    functions."""

    def __init__(self, endpoints: Union[str, Iterable[str]], holder: str = "", *, prefix: Key = b"",
                 lease: Optional[float] = None, timeout: float = 5.0, sync_timeout: float = 10.0, tls_ca: str = "",
                 tls_cert: str = "", tls_key: str = "", credentials: Any = None, token: str = "", token_file: str = "",
                 insecure_token: bool = False) -> None:
        self._endpoints = split(endpoints)
        self._tell = asyncio.Event()
        self._access = Access(tls_ca, tls_cert, tls_key, credentials, token, token_file, insecure_token)
        core = Core(self._endpoints, holder, to_bytes(prefix), lease, timeout, asks_name=self._access.proves)
        super().__init__(core, self._tell.set)
        self._shell = Shell(self._core, self._access)
        self._sync_timeout = sync_timeout
        self._again = asyncio.Event()  # wakes a watch that was refused
        self._stream: Any = None  # the watch's call
        self._cut_by_us = False
        self._tasks: list["asyncio.Task[Any]"] = []
        self._core.cut_watch, self._core.open_again = self._cut, self._again.set

    async def open(self) -> "SyncMap":
        """Starts the watch, and waits for the map if `sync_timeout` is not 0."""
        self._core.check()
        if self._tasks:
            raise RuntimeError("the map is open already")
        await self._find_nodes()
        self._access.check(self._core.endpoints.targets)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(self._call_handlers()),
                       self._shell.spawn(lease_flows.keeper(self._core))]
        if self._sync_timeout:
            try:
                await self._run(flows.start(self._core, self._sync_timeout))
            except BaseException:
                await self.close()
                raise
        return self

    async def set(self, key: Key, value: Value, *, lease: Optional[float] = None, ephemeral: bool = False,
                  if_version: str = "", if_absent: bool = False, ack: Ack = None,
                  timeout: Optional[float] = None) -> Entry:
        """Writes the key; returns its entry. See leasemap.SyncMap.set."""
        return await self._run(flows.set_(self._core, key, value, timeout, lease=lease, ephemeral=ephemeral,
                                          if_version=if_version, if_absent=if_absent, ack=ack))

    async def delete(self, key: Key, *, if_version: str = "", missing_ok: bool = False, ack: Ack = None,
                     timeout: Optional[float] = None) -> Optional[Entry]:
        """Deletes the key. See leasemap.SyncMap.delete."""
        return await self._run(flows.delete(self._core, key, if_version, missing_ok, ack, timeout))

    async def renew(self, key: Key, lease: Optional[float] = None, *, timeout: Optional[float] = None) -> Entry:
        """Renews this holder's lease on a key once. See leasemap.SyncMap.renew."""
        return await self._run(flows.renew(self._core, key, lease, timeout))

    async def release(self, key: Key, *, timeout: Optional[float] = None) -> Entry:
        """Gives this holder's lease on a key up. See leasemap.SyncMap.release."""
        return await self._run(flows.release(self._core, key, timeout))

    async def pop(self, key: Key, default: Any = MISSING, *, timeout: Optional[float] = None) -> Any:
        """Deletes the key and returns exactly the value that was deleted, or `default` if there was none."""
        return await self._run(flows.pop(self._core, key, default, timeout))

    async def popitem(self) -> tuple[Key, Value]:
        """Deletes and returns one of the keys that this holder may write."""
        return await self._run(flows.popitem(self._core))

    async def setdefault(self, key: Key, default: Value = "") -> Any:
        """The key's value; writes `default` first if there is none."""
        return await self._run(flows.setdefault(self._core, key, default))

    async def update(self, other: Any = (), /, *, timeout: Optional[float] = None, **named: Value) -> None:
        """Writes many keys with few calls. See leasemap.SyncMap.update."""
        pairs = other.items() if isinstance(other, collections.abc.Mapping) else other
        await self._run(flows.update(self._core, [*pairs, *named.items()], timeout))

    async def fetch(self, key: Key, *, min_version: str = "", timeout: Optional[float] = None) -> Entry:
        """The entry as the node has it now. See leasemap.SyncMap.fetch."""
        return await self._run(flows.fetch(self._core, key, min_version, timeout))

    async def wait_synced(self, timeout: float = 10.0) -> None:
        """Waits until `synced`. See leasemap.SyncMap.wait_synced."""
        self._core.ask_again()
        await self._run(flows.wait_synced(self._core, timeout))

    def lease(self, key: Key, value: Optional[Value] = None, *, duration: float = 10.0, ephemeral: bool = True,
              wait: Optional[float] = 0.0, ack: Ack = None) -> Lease:
        """A lease on the key, for an `async with` block. See leasemap.SyncMap.lease."""
        return Lease(self._core, self._shell, key, value, duration, ephemeral, wait, ack)

    async def close(self) -> None:
        """Gives kept leases up (waits 3 s at most for that) and ends the watch. Leases of plain writes stay."""
        if self._core.closed:
            return
        try:
            await self._shell.run(lease_flows.give_up_all(self._core))
        finally:
            self._core.close()
            self._again.set()  # gRPC may swallow the cancellation of a watch that is refused just now
            tasks = [task for task in self._tasks if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._shell.close()

    async def __aenter__(self) -> "SyncMap":
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, flow: Flow[T]) -> T:
        self._core.check()
        if not self._tasks:
            raise RuntimeError("the map is not open; use `async with`, or await m.open() first")
        return await self._shell.run(flow)

    def _cut(self) -> None:
        if self._stream:
            self._cut_by_us = True
            self._stream.cancel()

    async def _watch(self) -> None:
        core = self._core
        while not core.closed:
            target, request = core.open_watch()
            error: LeasemapError = UnavailableError("the stream ended", "UNAVAILABLE")
            self._cut_by_us = False
            try:
                node = self._shell.node(target)
                self._stream = node.method("Watch")(request, metadata=node.metadata())
                async for message in self._stream:
                    core.took(message)
            except grpc.RpcError as broken:
                error = self._shell.failed(node, broken)
            except LeasemapError as refused:  # the map's own refusal, before a node was asked
                error = refused
            except asyncio.CancelledError:
                if not self._cut_by_us:  # the task is to end
                    self._stream.cancel()
                    raise
            except Exception as broken:
                log.exception("the watch of the map failed; it is opened again")
                error = UnavailableError(f"the watch failed: {broken!r}", "UNAVAILABLE")
            self._stream = None
            pause = core.watch_ended(error)
            if refuses(error):
                await self._again.wait()
                self._again.clear()
            elif pause > 0:  # all nodes failed: what names stand for may have changed
                await asyncio.sleep(pause)
                await self._find_nodes()

    async def _find_nodes(self) -> None:
        names: dict[str, str] = {}
        for endpoint in self._endpoints:
            host, _, port = endpoint.rpartition(":")
            look_up = functools.partial(asyncio.get_running_loop().getaddrinfo, host.strip("[]"), int(port))
            try:
                found = channels.addresses(endpoint, await look_up(type=socket.SOCK_STREAM))
            except OSError:
                found = [endpoint]
            names.update(dict.fromkeys(found, endpoint))
        self._core.endpoints.replace(names)
        await self._shell.keep_only(names)

    async def _call_handlers(self) -> None:
        while True:
            await self._tell.wait()
            self._tell.clear()
            for handler, event in self._handlers.take():
                try:
                    told = handler(event)
                    if inspect.isawaitable(told):
                        await told
                except Exception:
                    handlers.failed(handler, event)
