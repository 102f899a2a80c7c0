package leasemap

// When a lease is renewed, and when it is given up for lost. Pure.

import (
	"fmt"
	"time"
)

const (
	// Of a lease's duration, from before the request was sent to the local deadline.
	usedPart = 0.75
	// Renewed after a third: then two more tries, each as long, fit in before the deadline.
	renewPart = 1.0 / 3
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

// next is when the keeper has to look at it again.
func (s *leaseState) next() time.Duration {
	if s.renewing {
		return s.deadline
	}
	return min(s.renewAt, s.deadline)
}

// failed: a renewal did not get through: again soon.
func (s *leaseState) failed(now time.Duration, chance float64) {
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
