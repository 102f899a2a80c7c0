package leasemap

// Time that passes whatever the wall clock does, and waiting.

import (
	"context"
	"time"
)

var processStart = time.Now()

// monotonic is the time since the process started, by the clock that nobody sets.
func monotonic() time.Duration { return time.Since(processStart) }

// sleep waits for the pause, until the context ends, or until the channel has something; nil channels never have.
func sleep(ctx context.Context, pause time.Duration, woken <-chan struct{}) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	case <-ctx.Done():
	}
}
