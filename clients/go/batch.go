package leasemap

// Calls for many keys.

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// Of one batch: the server takes 1,000 items, and 8 MiB; half of that leaves room for how gRPC encodes.
	batchItems = 1000
	batchBytes = 4 << 20
)

// BatchGet reads many keys with few calls; keys that do not exist are not in the answer. *BatchError names keys that
// could not be read; the others are in the answer all the same.
func (c *Client) BatchGet(ctx context.Context, keys []string) (map[string]Entry, error) {
	return batchGet(keys, func(request *leasemappb.BatchGetRequest) (*leasemappb.BatchGetResponse, error) {
		answer, _, err := call(ctx, c, attemptMost, request, leasemappb.KeyValueClient.BatchGet)
		return answer, err
	})
}

// batchGet makes the requests, and gathers what each answer brings.
func batchGet(keys []string, ask func(*leasemappb.BatchGetRequest) (*leasemappb.BatchGetResponse, error)) (
	map[string]Entry, error) {
	found, failed := map[string]Entry{}, map[string]error{}
	for left := keys; len(left) > 0; {
		some := left[:min(len(left), batchItems)]
		request := &leasemappb.BatchGetRequest{}
		for _, key := range some {
			request.Requests = append(request.Requests,
				&leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte(key)}})
		}
		answer, err := ask(request)
		if err != nil {
			return found, err
		}
		left = append(over(some, answer.GetResults(), found, failed), left[len(some):]...)
	}
	if len(failed) > 0 {
		return found, &BatchError{failed}
	}
	return found, nil
}

// over sorts the results of one BatchGet, and returns the keys for which the answer had no room, to be asked for again.
func over(keys []string, results []*leasemappb.BatchResult, found map[string]Entry, failed map[string]error) []string {
	var again []string
	for i, result := range results {
		if i >= len(keys) {
			break
		}
		switch err := itemError(result.GetStatus()); {
		case err == nil:
			found[keys[i]] = fromProto(result.GetEntry())
		case reasonOf(err) == "KEY_NOT_FOUND":
		case reasonOf(err) == "BYTES_LIMIT" && i > 0: // the first always fits, so each call brings one at least
			again = append(again, keys[i])
		default:
			failed[keys[i]] = err
		}
	}
	return again
}

// BatchSet writes many keys with few calls, each as Set does with these options, and returns the entries that were
// written. It is no transaction: *BatchError names the keys that were refused; the others are written, and readers may
// see a batch half done. The client's timeout is for each call of up to 1,000 keys where the context has no deadline.
func (c *Client) BatchSet(ctx context.Context, values map[string]string,
	options ...SetOption) (map[string]Entry, error) {
	b := batch{client: c, done: map[string]Entry{}, failed: map[string]error{}}
	if _, err := c.Identify(ctx); err != nil {
		return b.done, err
	}
	for key, value := range values {
		request, lease, args, err := c.setRequest(key, value, options)
		if err != nil {
			return b.done, err
		}
		size := proto.Size(request)
		if len(b.items) == batchItems || (len(b.items) > 0 && b.size+size > batchBytes) {
			if err := b.send(ctx); err != nil {
				return b.done, err
			}
		}
		b.items, b.size, b.ack = append(b.items, item{key, value, args.binary, request, lease}), b.size+size, args.ack
	}
	if err := b.send(ctx); err != nil {
		return b.done, err
	}
	if len(b.failed) > 0 {
		return b.done, &BatchError{b.failed}
	}
	return b.done, nil
}

type item struct {
	key, value string
	binary     bool
	request    *leasemappb.SetRequest
	lease      *Lease
}

// batch is a BatchSet under way.
type batch struct {
	client *Client
	items  []item
	size   int // of the requests, in bytes
	ack    Ack
	done   map[string]Entry
	failed map[string]error
}

// send sends the items that were gathered.
func (b *batch) send(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	request := &leasemappb.BatchSetRequest{}
	sent := make([]sending, len(b.items))
	for i, item := range b.items {
		request.Requests = append(request.Requests, item.request)
		sent[i] = b.client.sending(item.key)
	}
	answer, target, err := call(ctx, b.client, attemptFor(b.ack), request, leasemappb.KeyValueClient.BatchSet)
	if err != nil {
		return err
	}
	for i, result := range answer.GetResults() {
		if i >= len(b.items) {
			break
		}
		item := b.items[i]
		if err := itemError(result.GetStatus()); err != nil {
			b.failed[item.key] = err
			continue
		}
		entry := withValue(fromProto(result.GetEntry()), item.value, item.binary)
		b.client.answered(&entry, sent[i])
		b.client.renewed(item.lease, &entry, sent[i], target)
		b.done[item.key] = entry
	}
	b.items, b.size = nil, 0
	return nil
}

// itemError is the error of one item of a batch; nil if it was done.
func itemError(status *leasemappb.ItemStatus) error {
	if status.GetCode() == int32(codes.OK) {
		return nil
	}
	return typed(&CallError{Code: codes.Code(status.GetCode()), Reason: status.GetReason(), Message: status.GetMessage()})
}
