package leasemap

// Calls for one key, and List.

import (
	"context"
	"iter"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

// sending is what a write must know of the moment before it was sent.
type sending struct {
	at    time.Duration
	shown []shownIn
}

// shownIn is what a map showed of the key.
type shownIn struct {
	in       *Map
	versions []string
}

func (c *Client) sending(key string) sending {
	sent := sending{at: c.now()}
	for _, m := range c.allMaps() {
		sent.shown = append(sent.shown, shownIn{m, m.versions(key)})
	}
	return sent
}

func (c *Client) allMaps() []*Map {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps := make([]*Map, 0, len(c.maps))
	for m := range c.maps {
		maps = append(maps, m)
	}
	return maps
}

// answered: a write was answered: the client's maps show it from now on.
func (c *Client) answered(entry *Entry, sent sending) {
	for _, shown := range sent.shown {
		shown.in.wrote(entry, shown.versions)
	}
}

// kept is the lease that this client holds on the key; nil if there is none.
func (c *Client) kept(key string) *Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lease := c.leases[key]; lease != nil && lease.state.state == stateHeld {
		return lease
	}
	return nil
}

// renewed: a write under a lease that is kept renewed it.
func (c *Client) renewed(lease *Lease, entry *Entry, sent sending, target string) {
	if lease == nil || entry.Deleted {
		return
	}
	c.mu.Lock()
	good := lease.state.state != stateHeld || lease.state.granted(entry, sent.at, c.now(), target)
	c.mu.Unlock()
	if !good {
		c.endLease(lease, stateLost, "it lapsed before the key was written", true)
	}
}

func attemptFor(ack Ack) time.Duration {
	if ack == AckLocal || ack == 1 {
		return attemptMost
	}
	return attemptAcks
}

// Get reads the key as the client's node has it now. ErrKeyNotFound if there is none.
func (c *Client) Get(ctx context.Context, key string) (Entry, error) {
	return c.get(ctx, &leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte(key)}}, attemptMost)
}

// GetAtLeast reads the key once the node has the write of this version, or one that replaced it: so a program sees what
// it saw or wrote elsewhere. A node waits for 5 s at most; then ErrUnavailable.
func (c *Client) GetAtLeast(ctx context.Context, key, version string) (Entry, error) {
	return c.get(ctx, &leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte(key)},
		MinVersion: version}, attemptAcks)
}

func (c *Client) get(ctx context.Context, request *leasemappb.GetRequest, most time.Duration) (Entry, error) {
	answer, _, err := call(ctx, c, most, request, leasemappb.KeyValueClient.Get)
	if err != nil {
		return Entry{}, err
	}
	return fromProto(answer.GetEntry()), nil
}

// Set writes the key if no other holder's lease on it is live, takes or renews the lease, and returns the entry. A
// lease that this client keeps is not changed. Errors: ErrLeaseHeld, ErrVersionMismatch, ErrInvalid,
// ErrLimit; with WithAck also ErrSuperseded, and ErrAckIncomplete (the write remains); ErrUnavailable (the write may
// have been done). A try whose answer was lost is not done twice.
func (c *Client) Set(ctx context.Context, key, value string, options ...SetOption) (Entry, error) {
	if _, err := c.Identify(ctx); err != nil {
		return Entry{}, err
	}
	request, lease, args, err := c.setRequest(key, value, options)
	if err != nil {
		return Entry{}, err
	}
	sent := c.sending(key)
	answer, target, err := call(ctx, c, attemptFor(args.ack), request, leasemappb.KeyValueClient.Set)
	if err != nil {
		return Entry{}, err
	}
	entry := withValue(fromProto(answer.GetEntry()), value, args.binary)
	c.answered(&entry, sent)
	c.renewed(lease, &entry, sent, target)
	return entry, nil
}

// setRequest is a Set, and the lease that is kept on its key, if there is one.
func (c *Client) setRequest(key, value string, options []SetOption) (*leasemappb.SetRequest, *Lease, setArgs, error) {
	args := setArgs{lease: c.config.lease}
	chosen := setArgs{}
	for _, option := range options {
		option.applySet(&args)
		option.applySet(&chosen)
	}
	lease := c.kept(key)
	if lease != nil {
		if chosen.lease != nil && *chosen.lease != lease.args.duration {
			return nil, nil, args, invalid("the lease on %q is kept at %v; leave LeaseFor out, or release it", key,
				lease.args.duration)
		}
		args.lease, args.ephemeral = &lease.args.duration, args.ephemeral || lease.ephemeral()
	}
	request := &leasemappb.SetRequest{KeyForm: &leasemappb.SetRequest_KeyBytes{KeyBytes: []byte(key)},
		Holder: c.Holder(), IfVersion: args.ifVersion, IfAbsent: args.ifAbsent, RequestId: randomHex(16)}
	args.binary = args.binary || !isText(value)
	if args.binary {
		request.ValueForm = &leasemappb.SetRequest_ValueBytes{ValueBytes: []byte(value)}
	} else {
		request.ValueForm = &leasemappb.SetRequest_Value{Value: value}
	}
	if args.lease != nil {
		request.LeaseDuration = durationProto(*args.lease)
	}
	if args.ephemeral {
		request.OnLapse = leasemappb.OnLapse_ON_LAPSE_DELETE
	}
	var err error
	request.Ack, request.AckNodes, err = args.ack.fields()
	return request, lease, args, err
}

// Delete deletes the key under the same rule as Set, gives its lease up, and returns the new entry. Errors as for
// Set, and ErrKeyNotFound; with MissingOK the entry of a missing key is empty.
func (c *Client) Delete(ctx context.Context, key string, options ...DeleteOption) (Entry, error) {
	args := deleteArgs{}
	for _, option := range options {
		option.applyDelete(&args)
	}
	if _, err := c.Identify(ctx); err != nil {
		return Entry{}, err
	}
	request := &leasemappb.DeleteRequest{KeyForm: &leasemappb.DeleteRequest_KeyBytes{KeyBytes: []byte(key)},
		Holder: c.Holder(), IfVersion: args.ifVersion, AllowMissing: args.missingOK, RequestId: randomHex(16)}
	var err error
	if request.Ack, request.AckNodes, err = args.ack.fields(); err != nil {
		return Entry{}, err
	}
	return c.ending(key, func() (*leasemappb.Entry, error) {
		answer, _, err := call(ctx, c, attemptFor(args.ack), request, leasemappb.KeyValueClient.Delete)
		return answer.GetEntry(), err
	})
}

// Release gives this holder's lease on the key up once, so that anyone may write it. The value stays, but an ephemeral
// key vanishes. A lease that lapsed, or none, changes nothing. Errors: ErrKeyNotFound, ErrLeaseHeld, ErrUnsupported.
func (c *Client) Release(ctx context.Context, key string) (Entry, error) {
	if _, err := c.Identify(ctx); err != nil {
		return Entry{}, err
	}
	request := &leasemappb.ReleaseRequest{KeyForm: &leasemappb.ReleaseRequest_KeyBytes{KeyBytes: []byte(key)},
		Holder: c.Holder()}
	return c.ending(key, func() (*leasemappb.Entry, error) {
		answer, _, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.Release)
		return answer.GetEntry(), err
	})
}

// ending is a call that gives the lease up too, be it one that this client keeps.
func (c *Client) ending(key string, do func() (*leasemappb.Entry, error)) (Entry, error) {
	lease, sent := c.kept(key), c.sending(key)
	if lease != nil {
		c.mu.Lock()
		lease.state.ending++
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			lease.state.ending--
			c.mu.Unlock()
		}()
	}
	answer, err := do()
	if err != nil || answer == nil {
		return Entry{}, err
	}
	entry := fromProto(answer)
	if lease != nil && lease.ephemeral() {
		entry.Deleted = true // it vanished, on that node at least
	}
	c.answered(&entry, sent)
	if lease != nil {
		c.endLease(lease, stateReleased, "", true)
	}
	return entry, nil
}

// Renew renews this holder's lease on the key once, without a new value, for this duration (0: as long as last asked
// for). A lease that lapsed, or none, is acquired. To keep a lease alive use Lease. Errors: ErrKeyNotFound,
// ErrLeaseHeld, ErrInvalid, ErrUnsupported.
func (c *Client) Renew(ctx context.Context, key string, duration time.Duration) (Entry, error) {
	if _, err := c.Identify(ctx); err != nil {
		return Entry{}, err
	}
	request := &leasemappb.RenewRequest{KeyForm: &leasemappb.RenewRequest_KeyBytes{KeyBytes: []byte(key)},
		Holder: c.Holder()}
	if duration != 0 {
		request.LeaseDuration = durationProto(duration)
	}
	lease, sent := c.kept(key), c.sending(key)
	if lease != nil && duration != 0 && duration != lease.args.duration {
		return Entry{}, invalid("the lease on %q is kept at %v; renew it for 0, or release it", key, lease.args.duration)
	}
	answer, target, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.Renew)
	if err != nil {
		return Entry{}, err
	}
	entry := fromProto(answer.GetEntry())
	c.answered(&entry, sent)
	c.renewed(lease, &entry, sent, target)
	return entry, nil
}

// List iterates over the entries of the client's node whose keys start with the prefix, in bytewise order of the keys,
// page by page; the map may change between pages. An error ends it. If the
// context has no deadline, the client's timeout is for each page.
func (c *Client) List(ctx context.Context, prefix string, options ...ListOption) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		request := &leasemappb.ListRequest{PageSize: 1000,
			PrefixForm: &leasemappb.ListRequest_PrefixBytes{PrefixBytes: []byte(prefix)}}
		for _, option := range options {
			option.applyList(request)
		}
		for {
			answer, _, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.List)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, each := range answer.GetEntries() {
				if !yield(fromProto(each), nil) {
					return
				}
			}
			if request.PageToken = answer.GetNextPageToken(); request.PageToken == "" {
				return
			}
		}
	}
}
