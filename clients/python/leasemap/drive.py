"""Drives flows (core.py) in threads: `run` in the caller's own, `Worker` many at a time in one of its own."""
import collections
import heapq
import itertools
import logging
import threading
from typing import Any, Callable, Mapping, Optional, cast

import grpc

from leasemap import channels
from leasemap.access import Access
from leasemap.core import PRINCIPAL, Call, Core, Flow, Pause, Spawn, T
from leasemap.errors import ClosedError, LeasemapError, UnavailableError

log = logging.getLogger("leasemap")


class Channels:
    """One channel a node, made when it is first asked. The lock guards all fields but `_access`."""

    def __init__(self, access: Access, names: Mapping[str, str]) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._names = names  # of each target
        self._open: dict[str, channels.Node] = {}
        self._closed = False

    def node(self, target: str) -> channels.Node:
        with self._lock:
            if self._closed:
                raise ClosedError("this map was closed; make a new one")
            if target not in self._open:
                self._open[target] = channels.Node(grpc, self._access, target, self._names.get(target, target))
            return self._open[target]

    def failed(self, node: channels.Node, error: LeasemapError) -> None:
        """A call to this node ended with this error. After new certificates the next call makes a new channel."""
        if not node.outdated(error):
            return
        with self._lock:
            self._open = {target: each for target, each in self._open.items() if each is not node}
        node.channel.close()

    def keep_only(self, names: Mapping[str, str]) -> None:
        """These are the nodes now: closes the channels of those that are no longer endpoints."""
        with self._lock:
            self._names = names
            gone = [self._open.pop(target) for target in list(self._open) if target not in names]
        for node in gone:
            node.channel.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.keep_only({})


class Shell:
    """What flows need of the world, in threads."""

    def __init__(self, core: Core, access: Optional[Access] = None, names: Optional[Mapping[str, str]] = None) -> None:
        self.core, self.channels = core, Channels(access or Access(), names or {})
        self.worker = Worker(self)

    def call(self, effect: Call) -> Any:
        node = self.channels.node(effect.target)
        try:
            if effect.method == PRINCIPAL:
                return self._principal(node, effect)
            return node.method(effect.method)(effect.request, timeout=effect.timeout, metadata=node.metadata())
        except grpc.RpcError as error:
            raise self.failed(node, error) from None
        except ValueError:  # gRPC's word for a channel that was closed meanwhile
            raise self.gone() from None

    def _principal(self, node: channels.Node, effect: Call) -> str:
        try:
            _, call = node.method(effect.method).with_call(b"", timeout=effect.timeout, metadata=node.metadata())
        except grpc.RpcError as error:
            told = channels.principal_of_error(error)
            if told is None:
                raise
            return told
        return channels.principal(call.trailing_metadata())

    def failed(self, node: channels.Node, error: Any) -> LeasemapError:
        """The typed error of a call to this node."""
        typed = channels.to_error(error)
        self.channels.failed(node, typed)
        return typed

    def gone(self) -> LeasemapError:
        """The error of a call whose channel was closed: with the map, or since its node is no longer an endpoint."""
        if self.core.closed:
            return ClosedError("this map was closed; make a new one")
        return UnavailableError("the node is no longer an endpoint", "UNAVAILABLE")

    def run(self, flow: Flow[T]) -> T:
        """Carries a flow through and returns what it returns, in this thread."""
        step: Callable[[Any], Any] = flow.send
        value: Any = None
        while True:
            try:
                effect = step(value)
            except StopIteration as done:
                return cast(T, done.value)
            try:
                step, value = flow.send, self._perform(effect)
            except BaseException as error:  # KeyboardInterrupt too: the flow gives up what it has in hand
                step, value = flow.throw, error

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Call):
            return self.call(effect)
        if isinstance(effect, Pause):
            pause(effect)
            return None
        return self.worker.spawn(effect.flow)


def pause(effect: Pause) -> None:
    woken = threading.Event()
    if effect.signal:
        effect.signal.on_set(woken.set)
    woken.wait(effect.seconds)
    if effect.signal:
        effect.signal.on_set(None)


class Worker:
    """A thread that carries many flows on: each goes one step when what it asked for is there. The condition guards
    `_ready`, `_running` and `_stopped`; the timers are the thread's own."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._changed = threading.Condition()
        self._ready: collections.deque[tuple[Flow[Any], Callable[[Any], Any], Any]] = collections.deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="leasemap-flows", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def spawn(self, flow: Flow[Any]) -> None:
        self._resume(flow, flow.send, None)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident and self._thread is not threading.current_thread():
            self._thread.join(5)  # every step is short

    def _resume(self, flow: Flow[Any], step: Callable[[Any], Any], value: Any) -> None:
        with self._changed:
            self._ready.append((flow, step, value))
            self._changed.notify()

    def _run(self) -> None:
        now = self._shell.core.now
        while True:
            with self._changed:
                while not self._ready and not self._stopped:
                    left = self._timers[0][0] - now() if self._timers else None
                    if left is not None and left <= 0:
                        break
                    self._changed.wait(left)
                if self._stopped:
                    return
                ready = self._ready.popleft() if self._ready else None
            while self._timers and self._timers[0][0] <= now():
                heapq.heappop(self._timers)[2]()
            if ready:
                self._step(*ready)

    def _step(self, flow: Flow[Any], step: Callable[[Any], Any], value: Any) -> None:
        try:
            effect = step(value)
        except StopIteration:
            return
        except ClosedError:
            return
        except Exception:
            log.exception("a background task of the map failed")
            return
        if isinstance(effect, Call):
            self._call(flow, effect)
        elif isinstance(effect, Spawn):
            self.spawn(effect.flow)
            self._resume(flow, flow.send, None)
        else:
            self._pause(flow, effect)

    def _call(self, flow: Flow[Any], effect: Call) -> None:
        try:
            node = self._shell.channels.node(effect.target)
            future = node.method(effect.method).future(effect.request, timeout=effect.timeout, metadata=node.metadata())
        except LeasemapError as error:
            return self._resume(flow, flow.throw, error)
        except ValueError:
            return self._resume(flow, flow.throw, self._shell.gone())

        def done(call: Any) -> None:
            try:
                self._resume(flow, flow.send, call.result())
            except grpc.RpcError as error:
                self._resume(flow, flow.throw, self._shell.failed(node, error))
            except grpc.FutureCancelledError:
                self._resume(flow, flow.throw, self._shell.gone())
        future.add_done_callback(done)

    def _pause(self, flow: Flow[Any], effect: Pause) -> None:
        once = threading.Lock()  # whichever comes first, the time or the signal

        def wake() -> None:
            if once.acquire(blocking=False):
                self._resume(flow, flow.send, None)
        heapq.heappush(self._timers, (self._shell.core.now() + effect.seconds, next(self._order), wake))
        if effect.signal:
            effect.signal.on_set(wake)


def optional_wait(seconds: Optional[float]) -> Optional[float]:
    """A timeout as threading has it: negative means for ever."""
    return None if seconds is None or seconds < 0 else seconds
