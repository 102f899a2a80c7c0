package leasemap

// Which node is asked next, after what pause, and what is tried again. Pure: time and chance come in.

import (
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// The pause after the first failure of a node, doubled with each further one up to the longest. A node that restarts
	// is back within a second or two; a node that is gone is asked every two seconds, which costs it nothing.
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
	// The pause of a watch for the client's own use that the nodes refused: each try is a line in the nodes' logs.
	refusedPause = 30 * time.Second
	// How long one node may take for an answer before the next one is asked. A call takes a millisecond; a node that
	// stands still for two seconds is in trouble.
	attemptMost = 2 * time.Second
	// Of a short deadline the first node gets a half, so that there is time to ask another, but not less than this: less
	// would take a busy node for one in trouble.
	attemptLeast = 250 * time.Millisecond
	// A node waits for acks, and for a version, for 5 s at most. The rest is for a slow way.
	attemptAcks = 10 * time.Second
	// How long a watch may be silent before it is taken for dead. A node says something every 15 s at least.
	silenceMost = 20 * time.Second
)

// Reasons after which the same request makes sense at another node. Writes carry a request_id or repeat themselves
// without harm (Renew, Release), so a request that was done without our knowing is not done twice.
var reasonsElsewhere = map[string]bool{"SYNCING": true, "DRAINING": true, "NOT_CAUGHT_UP": true, "CLOCK_UNSAFE": true,
	"DISK_FAILED": true, "WAIT_LIMIT": true, "WATCH_LIMIT": true, "CONNECTION_LIMIT": true}

// elsewhere is true if another node may do what this error refused: it says so, or the node or the way to it failed.
func elsewhere(err error) bool {
	base := baseOf(err)
	if base == nil {
		return false
	}
	if base.Reason != "" {
		return reasonsElsewhere[base.Reason]
	}
	return base.kind == ErrUnavailable || base.kind == ErrLimit
}

// attemptTime is how long the next node may take, when the caller waits for `left` and the call needs `most`. A call
// that waits for acks or a version gets all that is left: the node answers before that.
func attemptTime(left, most time.Duration) time.Duration {
	if most > attemptMost {
		return min(left, most)
	}
	return min(left, most, max(attemptLeast, left/2))
}

// backoff makes pauses that double, each cut at random by up to a half, so that programs that failed together come back
// apart.
type backoff struct{ failures int }

func (b *backoff) next(chance float64) time.Duration {
	pause := min(longestPause, time.Duration(float64(firstPause)*math.Pow(2, float64(min(b.failures, 16)))))
	b.failures++
	return time.Duration(float64(pause) * (0.5 + 0.5*chance))
}

// endpoints are the nodes of a client, in the order in which they are asked. Pure; the client's lock guards it. A
// client stays with one node, its home, and moves on only when that one fails: docs/decisions/0022 has the reasons.
type endpoints struct {
	targets []string
	home    string
	backoff map[string]*backoff
	until   map[string]time.Duration // a node that failed is not asked before this
	chance  func() float64           // uniform in [0, 1)
}

func newEndpoints(targets []string, chance func() float64) *endpoints {
	e := &endpoints{backoff: map[string]*backoff{}, until: map[string]time.Duration{}, chance: chance}
	e.replace(targets)
	return e
}

// replace makes these the nodes from now on. It keeps its knowledge of those that stay.
func (e *endpoints) replace(targets []string) {
	e.targets = nil
	stays := map[string]bool{}
	for _, target := range targets {
		if !stays[target] {
			stays[target] = true
			e.targets = append(e.targets, target)
		}
	}
	for target := range e.backoff {
		if !stays[target] {
			delete(e.backoff, target)
			delete(e.until, target)
		}
	}
	if !stays[e.home] {
		e.home = e.targets[int(e.chance()*float64(len(e.targets)))]
	}
}

// pick is the node to ask: home, or the next after it that has not just failed; if all have, the one whose pause ends
// first.
func (e *endpoints) pick(now time.Duration) string {
	at := 0
	for i, target := range e.targets {
		if target == e.home {
			at = i
		}
	}
	best, least := e.home, time.Duration(math.MaxInt64)
	for i := range e.targets {
		target := e.targets[(at+i)%len(e.targets)]
		if wait := max(0, e.until[target]-now); wait < least {
			best, least = target, wait
		}
	}
	e.home = best
	return best
}

// pause is how long to wait before pick gives a node that may be asked; 0: at once.
func (e *endpoints) pause(now time.Duration) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, target := range e.targets {
		least = min(least, max(0, e.until[target]-now))
	}
	return least
}

func (e *endpoints) failed(target string, now time.Duration) {
	for _, each := range e.targets {
		if each == target {
			if e.backoff[target] == nil {
				e.backoff[target] = &backoff{}
			}
			e.until[target] = now + e.backoff[target].next(e.chance())
		}
	}
}

func (e *endpoints) worked(target string) {
	delete(e.until, target)
	delete(e.backoff, target)
}

// splitEndpoints are the endpoints of a text that names them with commas between.
func splitEndpoints(text string) ([]string, error) {
	var found []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		host, port, err := net.SplitHostPort(part)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || host == "" {
			return nil, invalid("endpoint %q is not host:port, as 127.0.0.1:7400", part)
		}
		found = append(found, part)
	}
	if len(found) == 0 {
		return nil, invalid("no endpoints; give host:port of at least one node")
	}
	return found, nil
}

// reasonOf is the server's constant of an error; empty if it has none.
func reasonOf(err error) string {
	var base *CallError
	if errors.As(err, &base) {
		return base.Reason
	}
	return ""
}
