"""A flag that someone waits for, in a thread or in an event loop. It remembers that it was set, so that what happens
between a look and the wait is not missed."""
import threading
from typing import Callable, Optional


class Signal:
    """One waiter at a time gives a callback. The lock guards both fields."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._wake: Optional[Callable[[], None]] = None

    def set(self) -> None:
        with self._lock:
            self._set, wake, self._wake = True, self._wake, None
        if wake:
            wake()

    def take(self) -> bool:
        """True if it was set since the last take."""
        with self._lock:
            was, self._set = self._set, False
            return was

    def on_set(self, wake: Optional[Callable[[], None]]) -> None:
        """Calls `wake` once when it is set, at once if it is; None takes the callback back."""
        with self._lock:
            self._wake = wake
            now = wake if self._set else None
            if now:
                self._wake = None
        if now:
            now()
