package leasemap

// How leases are taken.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// A program that waits for a key looks at it again after this time at the latest: a lease that lapses makes no event,
	// and a watch may lag.
	lookMost = time.Second
	// A holder's lease may end a little before the server's hint says, never much later; chance spreads those who wait.
	spreadMost = 50 * time.Millisecond
	// After acks that were slow, since a member was, the rest are no slower.
	settleMost = 200 * time.Millisecond
	// How long it may take until a lease is given up; if no node answers, the lease lapses by itself.
	releaseMost = 3 * time.Second
	// Of a lease, where the caller does not say.
	defaultDuration = 10 * time.Second
)

// Lease takes a lease on the key and keeps it: renewed in the background after each third of its duration, until
// Release, or until it is lost. ErrLeaseHeld if another holder has it, at once, or with Wait when the context ends; a
// context's deadline bounds how long it takes to get the lease, not the lease. A key that exists keeps its value; one
// that does not is made, and vanishes with the lease (Value, Persistent).
//
// It is not mutual exclusion by itself: two programs that ask two nodes in the same moment, or on two sides of a
// network partition, may each be granted a lease on one key. When the nodes have exchanged both, one lease remains, and
// the other is lost. Guard outside resources with the fencing token. WithAck sets which nodes must have the lease:
//
//   - AckLocal (the default of Lease): the node that was asked. It works on both sides of a partition. All who wait
//     for a release may be granted the lease at once, each by another node, until the nodes have exchanged the grants.
//   - AckMajority (the default of Lock and Election): more than half of the remembered members have it. The smaller
//     side of a partition grants nothing, and the death of a node takes nothing back. Two that race may still both have
//     it for the time of a message.
//   - AckAll: of several that race at most one gets it. If one remembered member does not answer, none gets it.
//
// Further errors: ErrUnavailable, ErrAckIncomplete (too few nodes answered; the client gives the lease up), ErrInvalid,
// ErrUnsupported (leasing is off).
func (c *Client) Lease(ctx context.Context, key string, options ...LeaseOption) (*Lease, error) {
	args := leaseArgs{duration: defaultDuration}
	for _, option := range options {
		option.applyLease(&args)
	}
	return c.acquire(ctx, key, args)
}

func (c *Client) acquire(ctx context.Context, key string, args leaseArgs) (*Lease, error) {
	if args.duration <= 0 || args.duration > durationMost {
		return nil, invalid("a lease of %v cannot be kept; give 2 s or more (four times the clock bound)", args.duration)
	}
	var woken <-chan struct{}
	for {
		lease, err := c.take(ctx, key, args)
		if err == nil {
			return lease, nil
		}
		waits := errors.Is(err, ErrLeaseHeld) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAckIncomplete)
		if !args.wait || !waits {
			return nil, err
		}
		if woken == nil && ctx.Err() == nil {
			var forget func()
			woken, forget = c.keys.listen(key)
			defer forget()
		}
		hint := lookMost
		if base := baseOf(err); base != nil && base.RetryAfter > 0 {
			hint = min(hint, base.RetryAfter+part(spreadMost, c.chance()))
		}
		waiting, stop := context.WithCancel(ctx)
		unhook := context.AfterFunc(c.ctx, stop)
		sleep(waiting, hint, woken)
		unhook()
		stop()
		if ctx.Err() != nil {
			if errors.Is(err, ctx.Err()) {
				return nil, err
			}
			return nil, fmt.Errorf("%w (%w)", err, ctx.Err())
		}
	}
}

// take is one try.
func (c *Client) take(ctx context.Context, key string, args leaseArgs) (*Lease, error) {
	if _, err := c.Identify(ctx); err != nil {
		return nil, err
	}
	lease := newLease(c, key, args)
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return nil, closedError()
	}
	if c.leases[key] != nil {
		c.mu.Unlock()
		return nil, held(c.Holder(), "this client holds the lease on %q already; release that one first, or wait", key)
	}
	c.leases[key] = lease // nobody else of this program acquires it meanwhile
	c.mu.Unlock()
	sent := c.sending(key)
	// An answer after the local deadline is of no use.
	granting, cancel := context.WithTimeout(ctx, min(c.config.timeout, part(args.duration, usedPart)))
	defer cancel()
	entry, target, made, err := c.grant(granting, lease)
	if err != nil {
		return nil, c.notGranted(ctx, lease, err)
	}
	c.answered(entry, sent)
	c.mu.Lock()
	lease.state.ephemeral = lease.state.ephemeral && made
	lease.state.granted(entry, sent.at, c.now(), target)
	good := lease.state.held(c.now()) && !c.closing
	if good {
		c.keys.addLocked(key)
		c.keepLocked()
	}
	closing := c.closing
	c.mu.Unlock()
	if !good {
		c.endLease(lease, stateReleased, "", false)
		c.releaseLater(lease)
		if closing {
			return nil, closedError()
		}
		return nil, unavailable(ctx.Err(), "the lease on %q was granted too late; give it a longer duration", key)
	}
	if err := c.settle(ctx, lease, c.now()-sent.at); err != nil {
		return nil, err
	}
	return lease, nil
}

// notGranted ends a try that was refused, or whose outcome is not known, and returns the error for the caller.
func (c *Client) notGranted(ctx context.Context, lease *Lease, err error) error {
	if errors.Is(err, ErrVersionMismatch) || errors.Is(err, ErrSuperseded) {
		c.endLease(lease, stateReleased, "", true)
		var superseded *SupersededError
		holder := ""
		if errors.As(err, &superseded) {
			holder = superseded.WinnerHolder
		}
		return held(holder, "another holder took %q just now; wait", lease.key)
	}
	c.endLease(lease, stateReleased, "", false)
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAckIncomplete) {
		c.releaseLater(lease) // the cluster may have granted it all the same
	} else {
		c.freeLease(lease)
	}
	// The bound of one try is not the caller's.
	if base := baseOf(err); base != nil && ctx.Err() == nil {
		base.cause = nil
	}
	return err
}

// grant asks for the lease; it returns the entry, the node, and whether the key's value was written.
func (c *Client) grant(ctx context.Context, lease *Lease) (entry *Entry, target string, made bool, err error) {
	key, args := lease.key, lease.args
	if !args.overwrite {
		entry, target, err = c.grantAsItIs(ctx, lease)
		if !errors.Is(err, ErrKeyNotFound) {
			return entry, target, false, err
		}
	}
	value := c.Holder()
	if args.value != nil {
		value = *args.value
	}
	options := []SetOption{LeaseFor(args.duration), WithAck(args.ack)}
	if !args.persistent {
		options = append(options, Ephemeral())
	}
	if !args.overwrite {
		options = append(options, IfAbsent())
	}
	entry, target, err = c.grantBySet(ctx, key, value, options)
	return entry, target, true, err
}

// grantAsItIs takes the lease of a key that exists, and leaves its value.
func (c *Client) grantAsItIs(ctx context.Context, lease *Lease) (*Entry, string, error) {
	key, args := lease.key, lease.args
	if args.ack == AckLocal || args.ack == 1 {
		request := &leasemappb.RenewRequest{KeyForm: &leasemappb.RenewRequest_KeyBytes{KeyBytes: []byte(key)},
			Holder: c.Holder(), LeaseDuration: durationProto(args.duration)}
		answer, target, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.Renew)
		if err != nil {
			return nil, "", err
		}
		entry := fromProto(answer.GetEntry())
		return &entry, target, nil
	}
	// Renew waits for no acks: the same value is written again.
	found, err := c.Get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	options := []SetOption{LeaseFor(args.duration), WithAck(args.ack), IfVersion(found.Version)}
	if found.Binary {
		options = append(options, AsBytes())
	}
	return c.grantBySet(ctx, key, found.Value, options)
}

func (c *Client) grantBySet(ctx context.Context, key, value string, options []SetOption) (*Entry, string, error) {
	request, _, args, err := c.setRequest(key, value, options)
	if err != nil {
		return nil, "", err
	}
	answer, target, err := call(ctx, c, attemptFor(args.ack), request, leasemappb.KeyValueClient.Set)
	if err != nil {
		return nil, "", err
	}
	entry := withValue(fromProto(answer.GetEntry()), value, args.binary)
	return &entry, target, nil
}

// settle waits, after some but not all nodes acked, once more for as long as that took, and looks at the key. A rival
// that a node of the minority granted the key to, before it heard of this lease, is known here by then.
func (c *Client) settle(ctx context.Context, lease *Lease, took time.Duration) error {
	if ack := lease.args.ack; ack == AckLocal || ack == 1 || ack == AckAll {
		return nil
	}
	sleep(ctx, min(took, settleMost), lease.Done())
	if ctx.Err() == nil && lease.Held() {
		now, err := c.Get(ctx, lease.key)
		if errors.Is(err, ErrKeyNotFound) {
			c.endLease(lease, stateLost, "the key is gone", true)
		} else if err == nil {
			c.leaseSaw(KindSet, &now)
		}
	}
	if ctx.Err() != nil {
		c.giveUpLater(lease)
		return unavailable(ctx.Err(), "the lease on %q was given up: the caller went away", lease.key)
	}
	if err := lease.Err(); err != nil {
		return held("", "the lease on %q was granted and is gone again: %v", lease.key, err)
	}
	return nil
}
