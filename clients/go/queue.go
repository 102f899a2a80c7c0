package leasemap

// Events that a program was not told yet. No I/O.

import (
	"log/slog"
	"sync"
)

const (
	// Keys whose events wait for a program. One that is this far behind stands still; its events take some 50 MB then.
	keysWaiting = 100_000
	// Lost writes that wait for a program; nodes keep as many conflicts.
	lostWaiting = 1000
)

// queue is what one program that goes over a map's events was not told yet. The program may be slow, and the watch must
// not wait for it: of each key only the latest event is kept, as a slow watcher's node does, and of keysWaiting keys at
// most. Lost writes come besides, the latest thousand.
type queue struct {
	mu      sync.Mutex // guards the fields up to changed
	latest  *lately[change]
	lost    *lately[change]
	skipped bool          // since the program was up to date
	changed chan struct{} // holds one token while there is something
	log     *slog.Logger
}

func newQueue(log *slog.Logger) *queue {
	return &queue{latest: newLately[change](keysWaiting), lost: newLately[change](lostWaiting),
		changed: make(chan struct{}, 1), log: log}
}

func (q *queue) publish(changes []change) {
	complain := false
	q.mu.Lock()
	for _, each := range changes {
		if each.kind == KindLost {
			q.lost.put(each.entry.Version, each)
		} else if full := q.latest.put(each.key, each); full && !q.skipped {
			q.skipped, complain = true, true
		}
	}
	q.mu.Unlock()
	if len(changes) == 0 {
		return
	}
	if complain {
		q.log.Warn("leasemap: a program is behind with a map's events: the oldest are skipped; look why it is slow",
			"keys", keysWaiting)
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// take is the next event; false if there is none now.
func (q *queue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next, ok := q.lost.takeFirst()
	if !ok {
		next, ok = q.latest.takeFirst()
	}
	if !ok {
		q.skipped = false
		return Event{}, false
	}
	event := Event{Kind: next.kind, Entry: *next.entry}
	if next.winner != nil {
		event.Winner = *next.winner
	}
	return event, true
}
