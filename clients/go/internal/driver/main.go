// Driver lets the end-to-end tests, which are in Python and have the nodes in hand, use the Go client: a command a line
// on standard input, in JSON, and its answer on standard output, in the order in which they are done. A client, map,
// watch or lease that a command makes gets the number that the command had.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"leasemap.dev/leasemap"
)

// command is what may be asked; each uses some of the fields.
type command struct {
	ID        int
	Op        string
	On        int // the number of what it is done on
	Endpoints string
	Holder    string
	Key       string
	Value     string
	Keys      []string
	Values    map[string]string
	Lease     *float64 // seconds
	Timeout   float64  // seconds; 0: none
	Ack       int
	Flags     string // words, as "ephemeral wait"
	Cursor    string
}

var (
	out    sync.Mutex // guards standard output
	mu     sync.Mutex // guards things
	things = map[int]any{}
)

// told is a list of events that grows.
type told struct {
	mu     sync.Mutex
	events []map[string]any
	err    error
	stop   context.CancelFunc
}

func (t *told) add(event leasemap.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, map[string]any{"kind": event.Kind.String(), "key": event.Entry.Key,
		"value": event.Entry.Value, "version": event.Entry.Version, "cursor": event.Cursor, "winner": event.Winner.Holder})
}

func put(id int, thing any) {
	mu.Lock()
	defer mu.Unlock()
	things[id] = thing
}

func get[T any](id int) T {
	mu.Lock()
	defer mu.Unlock()
	return things[id].(T)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		go func() {
			ctx, cancel := context.Background(), func() {}
			if c.Timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, seconds(c.Timeout))
			}
			defer cancel()
			result, err := do(ctx, &c)
			answer(map[string]any{"id": c.ID, "result": result, "error": describe(err)})
		}()
	}
}

func answer(what any) {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	out.Lock()
	defer out.Unlock()
	fmt.Println(string(line))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

var kinds = map[string]error{"key_not_found": leasemap.ErrKeyNotFound, "lease_held": leasemap.ErrLeaseHeld,
	"lease_lost": leasemap.ErrLeaseLost, "version_mismatch": leasemap.ErrVersionMismatch, "invalid": leasemap.ErrInvalid,
	"superseded": leasemap.ErrSuperseded, "ack_incomplete": leasemap.ErrAckIncomplete, "cursor": leasemap.ErrCursor,
	"unavailable": leasemap.ErrUnavailable, "closed": leasemap.ErrClosed, "unsupported": leasemap.ErrUnsupported,
	"deadline": context.DeadlineExceeded}

// describe is an error as JSON: its kinds, its text, and what the typed errors know.
func describe(err error) any {
	if err == nil {
		return nil
	}
	found := map[string]any{"text": err.Error(), "kinds": []string{}}
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			found["kinds"] = append(found["kinds"].([]string), name)
		}
	}
	var held *leasemap.LeaseHeldError
	if errors.As(err, &held) {
		found["holder"], found["expires"] = held.Holder, held.Expires.UnixMilli()
	}
	var incomplete *leasemap.AckIncompleteError
	if errors.As(err, &incomplete) {
		found["acked"], found["not_acked"] = incomplete.Acked, incomplete.NotAcked
	}
	var batch *leasemap.BatchError
	if errors.As(err, &batch) {
		failed := []string{}
		for key := range batch.Failed {
			failed = append(failed, key)
		}
		found["failed"] = failed
	}
	return found
}

func entry(e leasemap.Entry) map[string]any {
	return map[string]any{"key": e.Key, "value": e.Value, "holder": e.Holder, "version": e.Version, "leased": e.Leased(),
		"start": e.LeaseStart.Unix(), "expires": e.Expires.UnixMilli(), "token": e.FencingToken, "origin": e.Origin}
}

func do(ctx context.Context, c *command) (any, error) {
	has := func(flag string) bool { return strings.Contains(c.Flags, flag) }
	switch c.Op {
	case "new":
		var options []leasemap.Option
		if c.Holder != "" {
			options = append(options, leasemap.WithHolder(c.Holder))
		}
		if c.Lease != nil {
			options = append(options, leasemap.WithLease(seconds(*c.Lease)))
		}
		if c.Timeout > 0 {
			options = append(options, leasemap.WithTimeout(seconds(c.Timeout)))
		}
		client, err := leasemap.New(c.Endpoints, options...)
		if err != nil {
			return nil, err
		}
		put(c.ID, client)
		return client.Holder(), nil
	case "goroutines":
		return runtime.NumGoroutine(), nil
	}
	mu.Lock()
	on := things[c.On]
	mu.Unlock()
	switch on := on.(type) {
	case *leasemap.Client:
		return onClient(ctx, c, on, has)
	case *leasemap.Map:
		return onMap(c, on)
	case *leasemap.Lease:
		return onLease(ctx, c, on)
	case *leasemap.Registry:
		return onRegistry(ctx, c, on)
	case *churn:
		if c.Op == "stop" {
			on.stop()
			<-on.ended
		}
		return on.done.Load(), on.strange()
	case *told:
		on.mu.Lock()
		defer on.mu.Unlock()
		if c.Op == "stop" {
			on.stop()
		}
		return append([]map[string]any{}, on.events...), on.err
	}
	return nil, fmt.Errorf("there is no %d", c.On)
}

// follow gathers the events of a watch.
func follow(c *command, client *leasemap.Client, has func(string) bool) {
	options := []leasemap.WatchOption{leasemap.Bookmarks()}
	if len(c.Keys) > 0 {
		options = append(options, leasemap.Prefixes(c.Keys...))
	}
	if has("snapshot") {
		options = append(options, leasemap.Snapshot())
	}
	if c.Cursor != "" {
		options = append(options, leasemap.FromCursor(c.Cursor))
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &told{stop: cancel}
	put(c.ID, t)
	go func() {
		for event, err := range client.Watch(ctx, options...) {
			if err != nil {
				t.mu.Lock()
				t.err = err
				t.mu.Unlock()
				return
			}
			t.add(event)
		}
	}()
}
