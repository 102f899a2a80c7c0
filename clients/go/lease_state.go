package leasemap

// When a lease is renewed, and when it is given up for lost. Pure.

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// Of a lease's duration, from before the request was sent to the local deadline.
	usedPart = 0.75
	// Renewed after a third: then two more tries, each as long, fit in before the deadline.
	renewPart = 1.0 / 3
	// Leases that are due within a sixth of their duration go along with one that is due. That is half of the time between
	// two renewals, so after two calls all leases of one duration are renewed by one, whenever they were taken; and none
	// is renewed more than twice as often as it has to be.
	alongPart = 1.0 / 6
	// The pause after a renewal that failed: a twelfth, so that several fit in; and not more than a second.
	retryPart = 1.0 / 12
	retryMost = time.Second
	// As long as the server takes a lease for.
	durationMost = 100 * 365 * 24 * time.Hour
)

type leaseStage int

const (
	stateNew leaseStage = iota // not granted yet
	stateHeld
	stateLost
	stateReleased
)

// leaseState is what is known of one lease, and when it is renewed and given up for lost. Pure: time of the boot-time
// clock comes in. The client's lock guards it.
//
// The deadline is counted from before the request was sent, so it runs out before the cluster's. Of the lease three
// quarters are used: the shortest lease a cluster allows is four times its bound on clock skew, so the quarter that is
// left covers that bound. No node shows the key as lapsed, by whatever clock within the bound, while this program
// believes it holds it, and a renewal that is sent in time is a renewal on every node.
type leaseState struct {
	duration  time.Duration
	ephemeral bool
	state     leaseStage
	why       string // it was lost
	entry     *Entry // the latest that was granted
	target    string // the node that granted it
	deadline  time.Duration
	renewing  bool // a renewal is under way
	lacked    bool // the node that was asked last to renew it did not have it yet
	ending    int  // calls of this client that delete the key, or give the lease up, right now
	renewAt   time.Duration
}

func part(d time.Duration, of float64) time.Duration { return time.Duration(float64(d) * of) }

// granted: the cluster granted or renewed the lease by a request that was first sent at `sent`. False if it is another
// lease: the one before lapsed in between, or was given up, and anything may have happened meanwhile. An answer that
// comes after the deadline brings nothing back: who looked meanwhile was told that the lease is not held.
func (s *leaseState) granted(entry *Entry, sent, now time.Duration, target string) bool {
	if s.entry != nil && !sameLease(entry, s.entry) {
		return false
	}
	if s.overdue(now) {
		return true
	}
	if s.entry == nil || !older(entry, s.entry) {
		s.entry, s.target = entry, target
	}
	s.lacked = false
	if s.state == stateNew {
		s.state = stateHeld
	}
	s.deadline = max(s.deadline, sent+part(s.duration, usedPart))
	s.renewAt = max(s.renewAt, sent+part(s.duration, renewPart))
	return true
}

func (s *leaseState) held(now time.Duration) bool { return s.state == stateHeld && now < s.deadline }

func (s *leaseState) overdue(now time.Duration) bool {
	return s.state == stateHeld && now >= s.deadline
}

// left is the time until the local deadline.
func (s *leaseState) left(now time.Duration) time.Duration {
	if s.state != stateHeld {
		return 0
	}
	return max(0, s.deadline-now)
}

func (s *leaseState) due(now time.Duration) bool {
	return s.state == stateHeld && !s.renewing && now >= s.renewAt
}

// goesAlong: it is due, or so soon that it is renewed together with one that is.
func (s *leaseState) goesAlong(now time.Duration) bool {
	return s.due(now+part(s.duration, alongPart)) && !s.overdue(now)
}

// next is when the keeper has to look at it again.
func (s *leaseState) next() time.Duration {
	if s.renewing {
		return s.deadline
	}
	return min(s.renewAt, s.deadline)
}

// failed: a renewal did not get through: again soon. `lacked`: the node answered that it cannot do it now, as one that
// does not have the lease yet.
func (s *leaseState) failed(now time.Duration, chance float64, lacked bool) {
	s.lacked = lacked
	s.renewAt = now + part(min(retryMost, part(s.duration, retryPart)), 0.5+0.5*chance)
}

// seen: a watch brought this of its key; returns the stage that follows, and why if it is lost.
func (s *leaseState) seen(kind Kind, entry *Entry) (leaseStage, string) {
	if s.state != stateHeld || s.entry == nil || older(entry, s.entry) {
		return s.state, ""
	}
	if kind == KindExpired {
		if entry.Version == s.entry.Version {
			return stateLost, "it lapsed on a node"
		}
		return stateHeld, ""
	}
	if !sameLease(entry, s.entry) {
		if kind == KindSet {
			return stateLost, fmt.Sprintf("%s has the key", entry.Holder)
		}
		return stateLost, fmt.Sprintf("%s deleted the key", entry.Holder)
	}
	if kind == KindSet && entry.Leased() {
		return stateHeld, ""
	}
	why := "it was given up"
	if kind == KindDeleted {
		why = "the key was deleted"
	}
	if s.ending > 0 {
		return stateReleased, ""
	}
	return stateLost, why + " by another program of this holder"
}

// end: it is over; false if it was before.
func (s *leaseState) end(state leaseStage, why string) bool {
	if s.state == stateLost || s.state == stateReleased {
		return false
	}
	s.state, s.why = state, why
	return true
}

// renewals are the leases that this node is asked to renew, by calls, once one is due, of all that a client has.
//
// All go in one call, but for three reasons. A call has batchItems at most. A node waits for the versions of all items
// before it renews any, so leases that another node granted, of which it may wait for some, go by themselves; and so do
// those that the node before lacked, which may have died with the node that granted them.
func renewals(all []*Lease, target string, now time.Duration) [][]*Lease {
	var calls [][]*Lease
	kinds := make([][]*Lease, 3)
	for _, lease := range all {
		switch state := &lease.state; {
		case !state.goesAlong(now):
		case state.target == target:
			kinds[0] = append(kinds[0], lease)
		case !state.lacked:
			kinds[1] = append(kinds[1], lease)
		default:
			kinds[2] = append(kinds[2], lease)
		}
	}
	for _, kind := range kinds {
		slices.SortFunc(kind, func(a, b *Lease) int { return cmp.Compare(a.state.deadline, b.state.deadline) })
		calls = slices.AppendSeq(calls, slices.Chunk(kind, batchItems))
	}
	return calls
}

// whyLost is why a lease is over whose renewal was answered so; empty if it may be tried again.
func whyLost(err error) string {
	if errors.Is(err, ErrKeyNotFound) {
		return "the key is gone"
	}
	if base := baseOf(err); base != nil && (base.Reason == "LEASE_HELD" || base.Reason == "LEASE_NOT_HELD") {
		return base.Message
	}
	return ""
}
