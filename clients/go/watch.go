package leasemap

// Watch: streams that follow each other, as one iterator.

import (
	"context"
	"errors"
	"iter"

	"leasemap.dev/leasemap/leasemappb"
)

// toldMost is how many keys a watch remembers of the events since the last cursor. A node sends a cursor after 1,000
// events and an eighth of the keys, so it is enough for a million keys; beyond it events may come twice after a move.
const toldMost = 130_000

// Watch goes over the changes of the keys that the options name, as they come; without Prefixes and Keys, of the whole
// map. When its node fails it goes on at the next one, from its last cursor: nothing is lost, and nothing is told
// twice. A program that is slow skips versions that were replaced meanwhile. It ends when the loop is left, with the
// context (whose error is told last), when the client is closed (ErrClosed), or with an error that no node can mend:
// ErrCursor, ErrInvalid, ErrPermission, ErrUnsupported.
//
//	for event, err := range client.Watch(ctx, leasemap.Prefixes("config/"), leasemap.Snapshot()) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(event.Kind, event.Entry.Key, event.Entry.Value)
//	}
func (c *Client) Watch(ctx context.Context, options ...WatchOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		args := watchArgs{request: &leasemappb.WatchRequest{}}
		for _, option := range options {
			option.applyWatch(&args)
		}
		if args.request.GetCursor() != "" && args.request.GetIncludeSnapshot() {
			yield(Event{}, invalid("a watch is either FromCursor or with a Snapshot"))
			return
		}
		w := &watch{args: args, yield: yield, cursor: args.request.GetCursor(), told: map[string]telling{}}
		w.asks = args.request.GetIncludeSnapshot()
		c.follow(ctx, w)
		switch {
		case w.left:
		case w.err != nil:
			yield(Event{}, w.err)
		case c.ctx.Err() != nil:
			yield(Event{}, closedError())
		default:
			yield(Event{}, ctx.Err())
		}
	}
}

// telling is what was told of a key since the last cursor, or in a snapshot.
type telling struct {
	kind  Kind
	entry Entry // without its value
	round int   // of which stream's snapshot it was
}

// watch is one Watch: it drops what a stream that resumes brings again.
type watch struct {
	args   watchArgs
	yield  func(Event, error) bool
	cursor string
	asks   bool // for a snapshot, which is not whole yet
	round  int  // how many snapshots were begun
	told   map[string]telling
	left   bool // the program left the loop
	err    error
}

func (w *watch) request() *leasemappb.WatchRequest {
	request := w.args.request
	request.Cursor, request.IncludeSnapshot = w.cursor, w.asks
	w.round++
	return request
}

func (w *watch) took(message *leasemappb.WatchResponse) bool {
	for _, each := range message.GetEvents() {
		event := Event{Kind: kindsOfProto[each.GetKind()], Entry: fromProto(each.GetEntry())}
		if event.Kind == 0 { // of a server that knows more than we do
			continue
		}
		if event.Kind == KindLost {
			event.Winner = fromProto(each.GetWinner())
		} else if !w.isNew(&event) {
			continue
		}
		if !w.tell(event) {
			return false
		}
	}
	end := message.GetSnapshotEnd() && w.asks
	if end && !w.endSnapshot() {
		return false
	}
	if message.GetCursor() != "" && !w.asks {
		w.cursor = message.GetCursor()
		clear(w.told)
	}
	if w.args.bookmarks && (end || message.GetCursor() != "") {
		return w.tell(Event{Kind: KindBookmark, Cursor: message.GetCursor(), SnapshotEnd: end})
	}
	return true
}

func (w *watch) tell(event Event) bool {
	w.left = !w.yield(event, nil)
	return !w.left
}

// isNew is false for an event that was told since the last cursor, or that one which was told replaced.
func (w *watch) isNew(event *Event) bool {
	key := event.Entry.Key
	before, known := w.told[key]
	again := known && older(&event.Entry, &before.entry)
	if known && before.entry.Version == event.Entry.Version {
		// The lapse of an ephemeral key is an event of the version that was set; all else came before.
		again = event.Kind != KindExpired || before.kind == KindExpired
	}
	if again {
		before.round = w.round
		w.told[key] = before
		return false
	}
	if !w.asks && len(w.told) >= toldMost { // of a snapshot all is remembered until it is whole
		clear(w.told)
	}
	now := telling{kind: event.Kind, entry: event.Entry, round: w.round}
	now.entry.Value, now.entry.HasValue = "", false
	w.told[key] = now
	return true
}

// endSnapshot tells the deletes of keys that an earlier, broken try of the snapshot told and that are gone.
func (w *watch) endSnapshot() bool {
	w.asks = false
	for _, before := range w.told {
		if before.round == w.round || before.kind != KindSet {
			continue
		}
		before.entry.Deleted = true
		if !w.tell(Event{Kind: KindDeleted, Entry: before.entry}) {
			return false
		}
	}
	clear(w.told)
	return true
}

func (w *watch) broke(err error) bool {
	for _, kind := range []error{ErrCursor, ErrInvalid, ErrPermission, ErrUnsupported} {
		if errors.Is(err, kind) {
			w.err = err
			return false
		}
	}
	return true
}
