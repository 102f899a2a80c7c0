package leasemap

// How leases are renewed, told as lost, and given up.

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// The keeper looks at its leases after this time at the latest: after the machine slept, timers are late but the
	// deadline is not.
	keeperMost = time.Second
	// Calls that renew leases, up to batchItems each, under way at once. A node renews ten thousands a second; more would
	// only wait in gRPC.
	renewalsMost = 8
	// Leases that are given up at once when the client is closed, each by a call.
	releasesMost = 64
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
		var overdue, all []*Lease
		due := false
		for _, lease := range c.leases {
			if lease.state.overdue(now) {
				overdue = append(overdue, lease)
				continue
			}
			all, due = append(all, lease), due || lease.state.due(now)
		}
		if due && c.renewals < renewalsMost {
			c.renewLocked(all, now)
		}
		for _, lease := range all {
			if lease.state.state != stateHeld {
				continue
			}
			at := lease.state.next()
			if c.renewals >= renewalsMost { // those that are due are looked at when a call ends
				at = lease.state.deadline
			}
			next = min(next, at)
		}
		c.mu.Unlock()
		for _, lease := range overdue {
			c.endLease(lease, stateLost, "it could not be renewed in time", true)
		}
		sleep(c.ctx, max(time.Millisecond, next-c.now()), c.keep)
	}
}

// renewLocked starts the calls that renew what is due, and what goes along.
func (c *Client) renewLocked(all []*Lease, now time.Duration) {
	target := c.nodes.pick(now)
	for _, some := range renewals(all, target, now) {
		if c.renewals >= renewalsMost || !c.spawnLocked(func() { c.renew(target, some) }) {
			return
		}
		c.renewals++
		for _, lease := range some {
			lease.state.renewing = true
		}
	}
}

// renew is one try to renew these leases, by one call. The keeper repeats what failed, at the node that is home then.
func (c *Client) renew(target string, some []*Lease) {
	sent := make([]sending, len(some))
	for i, lease := range some {
		sent[i] = c.sending(lease.key)
	}
	request, most := c.renewRequest(target, some)
	answer, err := try(c.ctx, c, target, most, request, leasemappb.KeyValueClient.BatchRenew)
	failed, lost := make([]error, len(some)), map[*Lease]string{}
	for i, lease := range some {
		switch {
		case err != nil:
			failed[i] = err
		case i >= len(answer.GetResults()):
			failed[i] = unavailable(nil, "the answer was cut short")
		default:
			failed[i] = c.renewedOne(target, lease, answer.GetResults()[i], sent[i])
			if why := whyLost(failed[i]); why != "" {
				failed[i], lost[lease] = nil, why
			}
		}
	}
	c.renewalEnded(target, some, failed, err == nil)
	for lease, why := range lost {
		c.mu.Lock()
		isHeld := lease.state.state == stateHeld
		c.mu.Unlock()
		if isHeld {
			c.endLease(lease, stateLost, why, true)
		}
	}
	c.wakeKeeper()
}

// renewRequest is the call for these leases, and how long it may take. A lease that lapsed, or was given up, is not
// acquired again: it is lost. Another node than the one that granted it must have it first, or would not know it.
func (c *Client) renewRequest(target string, some []*Lease) (*leasemappb.BatchRenewRequest, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	request, now, left := &leasemappb.BatchRenewRequest{}, c.now(), 2*attemptMost
	for _, lease := range some {
		left = min(left, lease.state.left(now))
		item := &leasemappb.RenewRequest{KeyForm: &leasemappb.RenewRequest_KeyBytes{KeyBytes: []byte(lease.key)},
			Holder: c.Holder(), LeaseDuration: durationProto(lease.args.duration), OnlyIfHeld: true}
		if lease.state.target != target {
			item.MinVersion = lease.state.entry.Version
		}
		request.Requests = append(request.Requests, item)
	}
	return request, max(renewalLeast, left/2) // two tries at least fit into what is left
}

// renewedOne takes the result of one lease; it returns why it is not renewed.
func (c *Client) renewedOne(target string, lease *Lease, result *leasemappb.BatchResult, sent sending) error {
	if err := itemError(result.GetStatus()); err != nil {
		return err
	}
	entry := fromProto(result.GetEntry())
	c.mu.Lock()
	same := lease.state.granted(&entry, sent.at, c.now(), target)
	c.mu.Unlock()
	if !same { // another program of this holder acquired it since
		return &CallError{Code: codes.FailedPrecondition, Reason: "LEASE_NOT_HELD", Message: "it lapsed before it was renewed"}
	}
	c.answered(&entry, sent)
	return nil
}

// renewalEnded plans the next try of what failed, and judges the node. If it answered, each error is about its lease.
func (c *Client) renewalEnded(target string, some []*Lease, failed []error, answered bool) {
	moves, refused := false, -1
	c.mu.Lock()
	for i, lease := range some {
		lease.state.renewing = false
		if failed[i] == nil {
			continue
		}
		isElsewhere := elsewhere(failed[i])
		lease.state.failed(c.now(), c.chance(), answered && isElsewhere)
		moves = moves || isElsewhere
		if !isElsewhere {
			refused = i
		}
	}
	c.renewals--
	if answered && !moves {
		c.nodes.worked(target)
	}
	c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	if moves {
		c.nodeFailed(target)
	}
	if refused >= 0 {
		c.config.log.Warn("leasemap: leases were not renewed, and are tried again; one of them",
			"key", some[refused].key, "error", failed[refused])
	}
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

// giveUpAll releases all leases that are kept, releasesMost at a time, and waits for that for a bounded time.
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
	room := make(chan struct{}, releasesMost)
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
