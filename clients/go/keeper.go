package leasemap

// How leases are renewed, told as lost, and given up.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// The keeper looks at its leases after this time at the latest: after the machine slept, timers are late but the
	// deadline is not.
	keeperMost = time.Second
	// Renewals under way at once. A node does ten thousands a second; more would only wait in gRPC.
	renewalsMost = 64
	// The least time for a renewal, however little is left.
	renewalLeast = 50 * time.Millisecond
)

// keepLocked makes the keeper look at once, and starts it if it does not run.
func (c *Client) keepLocked() {
	if !c.keeping {
		c.keeping = c.spawnLocked(c.keepLeases)
	}
	c.wakeKeeper()
}

func (c *Client) wakeKeeper() {
	select {
	case c.keep <- struct{}{}:
	default:
	}
}

// keepLeases runs while there are leases: it renews those that are due, and tells those that are lost.
func (c *Client) keepLeases() {
	for {
		c.mu.Lock()
		now, next := c.now(), c.now()+keeperMost
		if len(c.leases) == 0 || c.closed {
			c.keeping = false
			c.mu.Unlock()
			return
		}
		var overdue []*Lease
		for _, lease := range c.leases {
			switch state := &lease.state; {
			case state.overdue(now):
				overdue = append(overdue, lease)
				continue
			case state.due(now) && c.renewals < renewalsMost:
				if c.spawnLocked(func() { c.renew(lease) }) {
					state.renewing = true
					c.renewals++
				}
			}
			if lease.state.state == stateHeld {
				at := lease.state.next()
				if c.renewals >= renewalsMost { // those that are due are looked at when a renewal ends
					at = lease.state.deadline
				}
				next = min(next, at)
			}
		}
		c.mu.Unlock()
		for _, lease := range overdue {
			c.endLease(lease, stateLost, "it could not be renewed in time", true)
		}
		sleep(c.ctx, max(time.Millisecond, next-c.now()), c.keep)
	}
}

// renew is one try to renew a lease. The keeper repeats one that failed, at the node that is home then. The one place
// that knows how: one BatchRenew could do it for all.
func (c *Client) renew(lease *Lease) {
	key := lease.key
	sent := c.sending(key)
	c.mu.Lock()
	target, granter, latest := c.nodes.pick(sent.at), lease.state.target, lease.state.entry
	// Two tries at least fit into what is left.
	most := min(attemptMost, max(renewalLeast, lease.state.left(sent.at)/2))
	c.mu.Unlock()
	entry, err := c.renewAt(target, key, granter, latest, lease.args.duration, most)
	why, again := "", false
	var holds *LeaseHeldError
	switch {
	case err == nil:
		c.mu.Lock()
		c.nodes.worked(target)
		again = !lease.state.granted(entry, sent.at, c.now(), target)
		c.mu.Unlock()
		if again { // and this acquired a new one, which nobody wants
			why = "it lapsed before it was renewed"
		} else {
			c.answered(entry, sent)
		}
	case errors.Is(err, ErrKeyNotFound):
		why = "the key is gone"
	case errors.As(err, &holds):
		why = fmt.Sprintf("%s has the key", holds.Holder)
	case c.ctx.Err() == nil:
		if elsewhere(err) {
			c.nodeFailed(target)
		} else {
			c.config.log.Warn("leasemap: a lease was not renewed, and is tried again", "key", key, "error", err)
		}
	}
	c.mu.Lock()
	if err != nil && why == "" {
		lease.state.failed(c.now(), c.chance())
	}
	lease.state.renewing = false
	c.renewals--
	isHeld := lease.state.state == stateHeld
	c.mu.Unlock()
	if why != "" && isHeld {
		c.endLease(lease, stateLost, why, !again)
		if again {
			c.releaseLater(lease)
		}
	}
	c.wakeKeeper()
}

// renewAt renews the lease at one node. Another node than the one that granted it must have the lease first, or it
// would grant a new one.
func (c *Client) renewAt(target, key, granter string, latest *Entry, duration, most time.Duration) (*Entry, error) {
	if target != granter {
		request := &leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte(key)},
			MinVersion: latest.Version}
		if _, err := try(c.ctx, c, target, most, request, leasemappb.KeyValueClient.Get); err != nil {
			return nil, err
		}
	}
	request := &leasemappb.RenewRequest{KeyForm: &leasemappb.RenewRequest_KeyBytes{KeyBytes: []byte(key)},
		Holder: c.Holder(), LeaseDuration: durationProto(duration)}
	answer, err := try(c.ctx, c, target, most, request, leasemappb.KeyValueClient.Renew)
	if err != nil {
		return nil, err
	}
	entry := fromProto(answer.GetEntry())
	return &entry, nil
}

// release gives up at the cluster what is over here, and frees the key for others of this program.
func (c *Client) release(lease *Lease) {
	defer c.freeLease(lease)
	ctx, cancel := context.WithTimeout(c.ctx, releaseMost)
	defer cancel()
	sent := c.sending(lease.key)
	request := &leasemappb.ReleaseRequest{KeyForm: &leasemappb.ReleaseRequest_KeyBytes{KeyBytes: []byte(lease.key)},
		Holder: c.Holder()}
	answer, _, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.Release)
	switch {
	case err == nil:
		entry := fromProto(answer.GetEntry())
		entry.Deleted = entry.Deleted || lease.ephemeral() // it vanished, on that node at least
		c.answered(&entry, sent)
	case errors.Is(err, ErrKeyNotFound), errors.Is(err, ErrLeaseHeld), errors.Is(err, ErrClosed): // it is not ours
	default:
		c.config.log.Warn("leasemap: a lease could not be given up; it lapses by itself", "key", lease.key, "error", err)
	}
}

func (c *Client) releaseLater(lease *Lease) {
	if !c.spawn(func() { c.release(lease) }) {
		c.freeLease(lease)
	}
}

// giveUp releases a lease that is held; one that is lost stays with who has it.
func (c *Client) giveUp(lease *Lease) {
	if c.giveUpHere(lease) {
		c.release(lease)
	}
}

func (c *Client) giveUpLater(lease *Lease) {
	if c.giveUpHere(lease) {
		c.releaseLater(lease)
	}
}

// giveUpHere ends a lease that is held; false if another did.
func (c *Client) giveUpHere(lease *Lease) bool {
	c.mu.Lock()
	mine := lease.state.state == stateHeld && lease.state.end(stateReleased, "")
	c.mu.Unlock()
	if mine {
		c.keys.remove(lease.key)
		lease.cancel(errReleased)
	}
	return mine
}

// giveUpAll releases all leases that are kept, as many at a time as are renewed, and waits for that for a bounded time.
func (c *Client) giveUpAll() {
	c.mu.Lock()
	var all []*Lease
	for _, lease := range c.leases {
		if lease.state.state == stateHeld {
			all = append(all, lease)
		}
	}
	c.mu.Unlock()
	end := c.now() + releaseMost
	var group sync.WaitGroup
	room := make(chan struct{}, renewalsMost)
	for _, lease := range all {
		room <- struct{}{}
		if c.now() > end { // the rest lapse by themselves
			break
		}
		group.Add(1)
		go func() {
			defer group.Done()
			c.giveUp(lease)
			<-room
		}()
	}
	group.Wait()
}
