package leasemap

// A lease, as programs see it, and its end.

import (
	"context"
	"errors"
	"time"
)

// errReleased is the cause of a context that ended since its lease was given up.
var errReleased = errors.New("leasemap: the lease was given up")

// Lease is a lease that a client keeps: renewed in the background until Release, or until it is lost. Made by
// Client.Lease, Client.Lock and Election.Campaign. All its methods may be called from many goroutines at once.
//
// It is lost when it could not be renewed in time, when a node shows the key with another holder, when the key was
// deleted, or when a renewal found no lease. Then Held is false, Done is closed, and the
// contexts that Context made are cancelled.
type Lease struct {
	client *Client
	key    string
	args   leaseArgs
	ctx    context.Context // ends with the lease; its cause says why
	cancel context.CancelCauseFunc
	state  leaseState // guarded by the client's lock
}

func newLease(c *Client, key string, args leaseArgs) *Lease {
	l := &Lease{client: c, key: key, args: args,
		state: leaseState{duration: args.duration, ephemeral: !args.persistent}}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// Key is the key of the lease.
func (l *Lease) Key() string { return l.key }

// Held is true if the lease is surely this program's: its local deadline has not come, and nobody was seen to take it.
// The deadline is three quarters of the duration after the last renewal that worked, counted from before that was sent,
// by a clock that runs while the machine sleeps; so it comes before any node lets others in. Check before each use of
// the resource that the lease guards, and pass it the fencing token: time may pass between the check and the use.
func (l *Lease) Held() bool {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return l.state.held(l.client.now())
}

// Left is the time until the local deadline, which each renewal moves on; 0 if the lease is not held.
func (l *Lease) Left() time.Duration {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return l.state.left(l.client.now())
}

// Entry is the key's entry as of the latest grant or renewal. Its value is missing after a renewal.
func (l *Lease) Entry() Entry {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return *l.state.entry
}

// FencingToken is 32 hex digits that order the leases of this key as strings. A resource that keeps the greatest token
// it has seen, and refuses smaller ones, is safe from holders of the past. It may rise at a renewal. The token is given
// even if the lease is lost: the resource refuses it then.
func (l *Lease) FencingToken() string { return l.Entry().FencingToken }

// Expires is until when the cluster refuses others (UTC), as of the latest renewal.
func (l *Lease) Expires() time.Time { return l.Entry().Expires }

// Done is closed when the lease is lost or released.
func (l *Lease) Done() <-chan struct{} { return l.ctx.Done() }

// Err is nil while the lease is held, *LeaseLostError (ErrLeaseLost) once it is lost, and another error once it was
// released.
func (l *Lease) Err() error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	if !l.Held() {
		return &LeaseLostError{Key: l.key, Why: "its time ran out"}
	}
	return nil
}

// Context is a context that ends with the lease, or with its parent. context.Cause has the reason: *LeaseLostError if the
// lease was lost. Work under it, so that the work stops when another holder may have the lease. After a sleep of the
// machine the end may come a second late; Held is exact.
func (l *Lease) Context(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	context.AfterFunc(ctx, func() { stop() })
	return ctx
}

// Set writes the key under the lease, as Client.Set; *LeaseLostError, and nothing is written, if it is not held.
func (l *Lease) Set(ctx context.Context, value string, options ...SetOption) (Entry, error) {
	if err := l.Err(); err != nil {
		return Entry{}, err
	}
	// Should the lease be lost right now, the write takes no longer lease than this one.
	own := []SetOption{LeaseFor(l.args.duration)}
	if l.ephemeral() {
		own = append(own, Ephemeral())
	}
	return l.client.Set(ctx, l.key, value, append(own, options...)...)
}

// Release gives the lease up, so that others have it at once; it waits 3 s at most, and if no node answers the lease
// lapses by itself. It returns *LeaseLostError if the lease was lost before, and nil otherwise; a lost lease stays with
// who has it. It may be called again.
func (l *Lease) Release() error {
	c := l.client
	c.mu.Lock()
	overdue := l.state.overdue(c.now())
	c.mu.Unlock()
	if overdue {
		c.endLease(l, stateLost, "its time ran out", true)
	}
	c.giveUp(l)
	var lost *LeaseLostError
	if errors.As(context.Cause(l.ctx), &lost) {
		return lost
	}
	return nil
}

func (l *Lease) ephemeral() bool {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return l.state.ephemeral
}

// endLease: a lease is over. Without `free` nobody of this program acquires the key before freeLease: its release is on
// the way, and would give up the next lease too.
func (c *Client) endLease(l *Lease, state leaseStage, why string, free bool) {
	c.mu.Lock()
	was := l.state.state
	ended := l.state.end(state, why)
	c.mu.Unlock()
	if ended {
		if was == stateHeld {
			c.keys.remove(l.key)
		}
		cause := errReleased
		if state == stateLost {
			cause = &LeaseLostError{Key: l.key, Why: why}
		}
		l.cancel(cause)
	}
	if free {
		c.freeLease(l)
	}
}

// freeLease lets others of this program acquire the key.
func (c *Client) freeLease(l *Lease) {
	c.mu.Lock()
	if c.leases[l.key] == l {
		delete(c.leases, l.key)
	}
	granted := l.state.entry != nil
	c.mu.Unlock()
	if granted { // a try that was refused tells nobody, or it would wake itself
		c.keys.wake(l.key)
	}
}
