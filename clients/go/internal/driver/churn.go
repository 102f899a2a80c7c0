package main

// Writes at random, for tests that kill nodes meanwhile.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"leasemap.dev/leasemap"
)

// churn writes at random below a prefix until it is stopped.
type churn struct {
	stop  context.CancelFunc
	ended chan struct{}
	done  atomic.Int64 // operations
	err   atomic.Pointer[error]
}

func startChurn(prefix string, client *leasemap.Client) *churn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &churn{stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for ctx.Err() == nil {
			// Another's ephemeral key, or no node for a moment, is no wonder.
			if err := one(ctx, prefix, client); err != nil && ctx.Err() == nil && !errors.Is(err, leasemap.ErrLeaseHeld) &&
				!errors.Is(err, leasemap.ErrUnavailable) {
				c.err.Store(&err)
			}
			c.done.Add(1)
		}
	}()
	return c
}

func one(ctx context.Context, prefix string, client *leasemap.Client) error {
	key := fmt.Sprint(prefix, rand.N(40))
	var err error
	switch rand.N(8) {
	case 0:
		_, err = client.Delete(ctx, key, leasemap.MissingOK())
	case 1:
		_, err = client.Set(ctx, key, fmt.Sprint(rand.Float64()), leasemap.LeaseFor(2*time.Second), leasemap.Ephemeral())
	default:
		_, err = client.Set(ctx, key, fmt.Sprint(rand.Float64()))
	}
	return err
}

// strange is an error that was no part of the plan.
func (c *churn) strange() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}
