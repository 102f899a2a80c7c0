"""Drives flows (core.py) in threads: `run` in the caller's own, `Worker` many at a time in one of its own."""
import collections
import heapq
import itertools
import logging
import threading
from typing import Any, Callable, Optional, cast

import grpc

from leasemap import channels
from leasemap.core import Call, Core, Flow, Pause, Spawn, T
from leasemap.errors import ClosedError, LeasemapError, UnavailableError
from leasemap.v1 import key_value_pb2_grpc

log = logging.getLogger("leasemap")


class Channels:
    """One channel a node, made when it is first asked. The lock guards both fields."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Any, Any]] = {}
        self._closed = False

    def stub(self, target: str) -> Any:
        with self._lock:
            if self._closed:
                raise ClosedError("this map was closed; make a new one")
            if target not in self._open:
                channel = grpc.insecure_channel(channels.uri(target), channels.OPTIONS)
                self._open[target] = channel, key_value_pb2_grpc.KeyValueStub(channel)  # type: ignore[no-untyped-call]
            return self._open[target][1]

    def keep_only(self, targets: list[str]) -> None:
        """Closes the channels of nodes that are no longer endpoints."""
        with self._lock:
            gone = [self._open.pop(target) for target in list(self._open) if target not in targets]
        for channel, _ in gone:
            channel.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.keep_only([])


class Shell:
    """What flows need of the world, in threads."""

    def __init__(self, core: Core) -> None:
        self.core, self.channels = core, Channels()
        self.worker = Worker(self)

    def call(self, effect: Call) -> Any:
        try:
            return getattr(self.channels.stub(effect.target), effect.method)(effect.request, timeout=effect.timeout)
        except grpc.RpcError as error:
            raise channels.to_error(error) from None
        except ValueError:  # gRPC's word for a channel that was closed meanwhile
            raise self.gone() from None

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
            method = getattr(self._shell.channels.stub(effect.target), effect.method)
            future = method.future(effect.request, timeout=effect.timeout)
        except (ClosedError, ValueError):
            return self._resume(flow, flow.throw, self._shell.gone())

        def done(call: Any) -> None:
            try:
                self._resume(flow, flow.send, call.result())
            except grpc.RpcError as error:
                self._resume(flow, flow.throw, channels.to_error(error))
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
