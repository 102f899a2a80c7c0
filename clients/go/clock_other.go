//go:build !linux

package leasemap

import "time"

// bootTime is the monotonic clock here, which may stand still while the machine sleeps: look at leases after a sleep.
func bootTime() time.Duration { return monotonic() }
