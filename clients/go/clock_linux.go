package leasemap

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is a clock that nobody sets and that goes on while the machine sleeps. Time of this library is a duration of
// it: Go's own monotonic clock stands still in sleep, and would keep a lease that has lapsed.
func bootTime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		// Kernels have it since 2.6.39, so this does not happen; a clock that stops would be worse than one that may.
		return monotonic()
	}
	return time.Duration(now.Nano())
}
