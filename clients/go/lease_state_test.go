package leasemap

// The deadlines of a lease, without a server or a clock.

import (
	"testing"
	"time"
)

func ms(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func granted(m made) *Entry {
	if m.holder == "" {
		m.holder = "me"
	}
	if m.expire == 0 {
		m.expire = max(m.written, t0) + 10
	}
	return entryOf("k", "v", m)
}

// tenSeconds is a lease of 10 s that was asked for at 100.
func tenSeconds(t *testing.T) *leaseState {
	s := &leaseState{duration: 10 * second}
	equal(t, s.granted(granted(made{}), 100*second, 100*second, "a:1"), true, "granted")
	return s
}

func TestALeaseEndsBeforeTheClusters(t *testing.T) {
	s := tenSeconds(t)
	equal(t, s.held(ms(107.4)), true, "before three quarters")
	equal(t, s.held(ms(107.5)), false, "counted from before the request")
	equal(t, s.overdue(ms(107.5)), true, "overdue")
	equal(t, s.left(100*second), ms(7.5), "left")
	equal(t, s.left(200*second), 0, "left")

	slow := &leaseState{duration: 10 * second}
	slow.granted(granted(made{}), 100*second, 103*second, "a:1")
	equal(t, slow.deadline, ms(107.5), "however long the answer took")

	const bound = 500 * time.Millisecond
	shortest := &leaseState{duration: 4 * bound}
	shortest.granted(granted(made{}), 100*second, 100*second, "a:1")
	equal(t, shortest.deadline <= 100*second+4*bound-bound, true, "a clock bound is left at its end")
}

func TestALeaseIsRenewedAfterAThird(t *testing.T) {
	s := tenSeconds(t)
	equal(t, s.due(ms(103.3)), false, "due")
	equal(t, s.due(ms(103.4)), true, "due")
	s.renewing = true
	equal(t, s.due(ms(103.4)), false, "one at a time")
	equal(t, s.next(), s.deadline, "next")
	s.renewing = false
	equal(t, s.granted(granted(made{version: "v2", written: t0 + 4}), ms(103.4), ms(103.4), "a:1"), true, "renewed")
	equal(t, s.deadline, ms(110.9), "the deadline moves")
	s.granted(granted(made{}), 101*second, 101*second, "a:1")
	equal(t, s.deadline, ms(110.9), "an answer that comes late moves nothing back")
	equal(t, s.entry.Version, "v2", "version")
}

func TestARenewalThatFailedIsTriedAgainSoon(t *testing.T) {
	s := tenSeconds(t)
	s.failed(ms(103.4), 1)
	equal(t, (s.next()-ms(103.4)-10*second/12).Abs() < time.Microsecond, true, "a twelfth")
	long := &leaseState{duration: time.Hour}
	long.granted(granted(made{}), 100*second, 100*second, "a:1")
	long.failed(1300*second, 1)
	equal(t, long.next(), 1301*second, "a second at most")
}

func TestAnotherStartIsAnotherLease(t *testing.T) {
	equal(t, tenSeconds(t).granted(granted(made{start: t0 + 20, written: t0 + 20}), 106*second, 106*second, "a:1"), false,
		"granted")
}

func TestAnAnswerAfterTheDeadlineBringsNothingBack(t *testing.T) {
	s := tenSeconds(t)
	s.granted(granted(made{version: "v2", written: t0 + 7}), 107*second, ms(107.6), "a:1")
	equal(t, s.held(ms(107.6)), false, "held")
}

func TestWhatAWatchBringsOfALease(t *testing.T) {
	gone := made{version: "v2", written: t0 + 3, expire: t0 + 3}
	for what, each := range map[string]struct {
		kind   Kind
		made   made
		ending int
		want   leaseStage
	}{
		"itself":                  {KindSet, made{}, 0, stateHeld},
		"a renewal":               {KindSet, made{version: "v2", written: t0 + 3}, 0, stateHeld},
		"another holder":          {KindSet, made{holder: "other", version: "v9", epoch: baseEpoch + 1}, 0, stateLost},
		"another's delete":        {KindDeleted, made{holder: "other", version: "v9", epoch: baseEpoch + 1}, 0, stateLost},
		"another start":           {KindSet, made{start: t0 + 9, version: "v9", epoch: baseEpoch + 1}, 0, stateLost},
		"history":                 {KindSet, made{holder: "before", version: "v0", epoch: baseEpoch - 1}, 0, stateHeld},
		"a delete of its holder":  {KindDeleted, gone, 0, stateLost},
		"a release of its holder": {KindSet, gone, 0, stateLost},
		"the own delete":          {KindDeleted, gone, 1, stateReleased},
		"the own release":         {KindSet, gone, 1, stateReleased},
		"the latest's lapse":      {KindExpired, made{}, 0, stateLost},
		"a lapse before":          {KindExpired, made{version: "v0"}, 0, stateHeld},
	} {
		s := tenSeconds(t)
		s.ending = each.ending
		got, why := s.seen(each.kind, granted(each.made))
		equal(t, got, each.want, what)
		equal(t, why != "", got == stateLost, what+": a loss, and only that, has a reason")
	}
}

func TestALeaseEndsOnce(t *testing.T) {
	s := tenSeconds(t)
	equal(t, s.end(stateReleased, ""), true, "first")
	equal(t, s.end(stateLost, "x"), false, "second")
	equal(t, s.state, stateReleased, "state")
	equal(t, s.overdue(time.Hour), false, "overdue")
}
