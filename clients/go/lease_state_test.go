package leasemap

// The deadlines of a lease, without a server or a clock.

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"leasemap.dev/leasemap/leasemappb"
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
	s.failed(ms(103.4), 1, false)
	equal(t, (s.next()-ms(103.4)-10*second/12).Abs() < time.Microsecond, true, "a twelfth")
	long := &leaseState{duration: time.Hour}
	long.granted(granted(made{}), 100*second, 100*second, "a:1")
	long.failed(1300*second, 1, false)
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

// heldLease is a lease of 10 s that this node granted.
func heldLease(key string, taken time.Duration, target string) *Lease {
	lease := &Lease{key: key, state: leaseState{duration: 10 * second}}
	lease.state.granted(granted(made{}), taken, taken, target)
	return lease
}

func keysOf(calls [][]*Lease) (keys string) {
	for _, call := range calls {
		keys += "|"
		for _, lease := range call {
			keys += lease.key
		}
	}
	return keys
}

func TestWhichLeasesAreRenewedByWhichCalls(t *testing.T) {
	over, under, overdue := heldLease("o", ms(100), "a:1"), heldLease("u", ms(100), "a:1"), heldLease("x", ms(95), "a:1")
	over.state.end(stateReleased, "")
	under.state.renewing = true
	lacked := heldLease("l", ms(100), "b:1")
	lacked.state.failed(ms(102), 0, true)
	all := []*Lease{heldLease("d", ms(100), "a:1"), heldLease("s", ms(101.6), "a:1"), heldLease("n", ms(101.8), "a:1"),
		heldLease("m", ms(100.1), "b:1"), over, under, overdue, lacked}
	equal(t, keysOf(renewals(all, "a:1", ms(103.4))), "|ds|m|l", "due here and soon so, moved, lacked")
	equal(t, lacked.state.granted(granted(made{version: "v2", written: t0 + 3}), ms(103.4), ms(103.4), "a:1"), true, "")
	equal(t, lacked.state.lacked, false, "forgotten once it is renewed")
}

func TestAllOfOneDurationAreSoonRenewedByOneCall(t *testing.T) {
	var all []*Lease
	for i := range 24 { // taken over one period
		all = append(all, heldLease("k", ms(100+float64(i)/7), "a:1"))
	}
	calls := 0
	for now := ms(103); now < ms(130); now += ms(0.05) {
		due := false
		for _, lease := range all {
			due = due || lease.state.due(now)
		}
		if !due {
			continue
		}
		for _, call := range renewals(all, "a:1", now) {
			if now > ms(107) {
				equal(t, len(call), 24, fmt.Sprint("by one call, at ", now))
				calls++
			}
			for _, lease := range call {
				lease.state.granted(granted(made{}), now, now, "a:1")
			}
		}
	}
	equal(t, calls > 0 && calls <= 7, true, fmt.Sprint(calls, " calls: one in each third"))
}

func TestACallHasNoMoreThanANodeTakes(t *testing.T) {
	var all []*Lease
	for i := range batchItems + 1 {
		all = append(all, heldLease(fmt.Sprint(i), ms(100-float64(i)/1e4), "a:1"))
	}
	calls := renewals(all, "a:1", ms(103.4))
	equal(t, len(calls), 2, "calls")
	equal(t, calls[0][0].key == "1000" && len(calls[0]) == batchItems && calls[1][0].key == "0", true,
		"the next to end go first")
}

func TestARefusalTellsWhetherTheLeaseIsLost(t *testing.T) {
	for reason, want := range map[string]string{"KEY_NOT_FOUND": "the key is gone", "LEASE_HELD": "x has it",
		"LEASE_NOT_HELD": "x has it", "NOT_CAUGHT_UP": "", "PERMISSION_DENIED": ""} {
		err := itemError(&leasemappb.ItemStatus{Code: int32(codes.FailedPrecondition), Reason: reason, Message: "x has it"})
		equal(t, whyLost(err), want, reason)
	}
}
