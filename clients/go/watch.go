package leasemap

// Watch: streams that follow each other, as one iterator.

import (
	"context"
	"errors"
	"iter"
	"slices"

	"leasemap.dev/leasemap/leasemappb"
)

// toldMost is how many keys a watch remembers of the events since the last cursor. A node sends a cursor after 1,000
// events and an eighth of the keys, so it is enough for a million keys; beyond it events may come twice after a move, and
// what only the failed node had may not be taken back.
const toldMost = 130_000

// Watch iterates over the changes of the keys that the options name, as they come; without Prefixes and Keys, of the
// whole map. When its node fails it continues at the next one, from its last cursor: no event is lost, and none comes
// twice. A write that only the failed node had is taken back: the loop gets the present entry of its key, as KindSet or
// KindDeleted. A program that is slow skips versions that were replaced meanwhile. It ends when the loop is left, with
// the context (whose error comes last), when the client is closed (ErrClosed), or with an error that another node would
// give, too: ErrCursor, ErrInvalid, ErrPermission, ErrUnsupported.
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
		w := &watch{args: args, yield: yield, cursor: args.request.GetCursor(), told: map[string]*telling{}}
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
	// The stream that is read now told it, too. An earlier stream's node may have died with the only copy of it.
	confirmed bool
	standing  *Event // what this stream has instead, of lower rank; nil if it told nothing of the key
}

// watch is one Watch: it drops what a stream that resumes brings again.
type watch struct {
	args   watchArgs
	yield  func(Event, error) bool
	read   func(keys []string) (map[string]Entry, error) // what the stream's node has of them
	cursor string
	asks   bool // for a snapshot, which is not whole yet
	told   map[string]*telling
	left   bool // the program left the loop
	err    error
}

func (w *watch) request() *leasemappb.WatchRequest {
	request := w.args.request
	request.Cursor, request.IncludeSnapshot = w.cursor, w.asks
	for _, each := range w.told {
		each.confirmed, each.standing = false, nil
	}
	return request
}

// begins: the stream is of this node. Only it has waited until it covered the cursor, so only it is asked.
func (w *watch) begins(ctx context.Context, stub leasemappb.KeyValueClient) {
	w.read = func(keys []string) (map[string]Entry, error) {
		return batchGet(keys, func(request *leasemappb.BatchGetRequest) (*leasemappb.BatchGetResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, attemptMost)
			defer cancel()
			answer, err := stub.BatchGet(ctx, request)
			if err != nil {
				return nil, fromCall(ctx, err)
			}
			return answer, nil
		})
	}
}

func (w *watch) took(message *leasemappb.WatchResponse) (more bool, err error) {
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
			return false, nil
		}
	}
	end := message.GetSnapshotEnd() && w.asks
	if end && !w.endSnapshot() {
		return false, nil
	}
	if message.GetCursor() != "" && !w.asks {
		if more, err := w.takeBack(); !more || err != nil {
			return more, err
		}
		w.cursor = message.GetCursor()
	}
	if w.args.bookmarks && (end || message.GetCursor() != "") {
		return w.tell(Event{Kind: KindBookmark, Cursor: message.GetCursor(), SnapshotEnd: end}), nil
	}
	return true, nil
}

func (w *watch) tell(event Event) bool {
	w.left = !w.yield(event, nil)
	return !w.left
}

// isNew is false for an event that was told since the last cursor, and for one of lower rank than what an earlier stream
// told of its key: that waits until it is clear what stands.
func (w *watch) isNew(event *Event) bool {
	key := event.Entry.Key
	before := w.told[key]
	if before != nil && !before.confirmed && ranksBelow(event.Kind, &event.Entry, before.kind, &before.entry) {
		before.standing = event
		return false
	}
	if before != nil && before.entry.Version == event.Entry.Version {
		before.confirmed = true
		// The lapse of an ephemeral key is an event of the version that was set; all else came before.
		if event.Kind != KindExpired || before.kind == KindExpired {
			return false
		}
	}
	if !w.asks && len(w.told) >= toldMost { // of a snapshot all is remembered until it is whole
		clear(w.told)
	}
	w.remember(event)
	return true
}

func (w *watch) remember(event *Event) {
	now := &telling{kind: event.Kind, entry: event.Entry, confirmed: true}
	now.entry.Value, now.entry.HasValue = "", false
	w.told[event.Entry.Key] = now
}

// endSnapshot: the snapshot is whole. It tells what stands of keys that an earlier, broken try of it told otherwise.
func (w *watch) endSnapshot() bool {
	w.asks = false
	for _, each := range w.told {
		if !each.confirmed && !w.tellStanding(each, each.standing) {
			return false
		}
	}
	clear(w.told)
	return true
}

// takeBack: the stream has reached a cursor without confirming all that an earlier stream told: such writes died with
// their node, or are still on their way and will be told again. It tells what stands: what this stream told of the key,
// or else what its node has.
func (w *watch) takeBack() (more bool, err error) {
	var unknown []string
	for key, each := range w.told {
		if !each.confirmed && each.standing == nil {
			unknown = append(unknown, key)
		}
	}
	var found map[string]Entry
	if len(unknown) > 0 {
		if found, err = w.read(unknown); err != nil {
			return true, err
		}
	}
	earlier := w.told
	w.told = map[string]*telling{}
	for key, each := range earlier {
		if each.confirmed {
			continue
		}
		if entry, ok := found[key]; ok {
			if w.args.request.GetKeysOnly() {
				entry.Value, entry.HasValue = "", false
			}
			each.standing = &Event{Kind: KindSet, Entry: entry}
			w.remember(each.standing) // if it is newer than the cursor, the stream brings it, too
		}
		if !w.tellStanding(each, each.standing) {
			return false, nil
		}
	}
	return true, nil
}

// tellStanding tells what stands of a key in place of what was told; without `standing` that is nothing.
func (w *watch) tellStanding(told *telling, standing *Event) bool {
	if standing == nil {
		if told.kind != KindSet {
			return true
		}
		standing = &Event{Kind: KindDeleted, Entry: told.entry}
		standing.Entry.Deleted = true
	}
	kinds := w.args.request.GetKinds()
	if standing.Entry.Version == told.entry.Version && standing.Kind == told.kind ||
		len(kinds) > 0 && !slices.ContainsFunc(kinds, func(kind leasemappb.Event_Kind) bool {
			return kindsOfProto[kind] == standing.Kind
		}) {
		return true
	}
	return w.tell(*standing)
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
