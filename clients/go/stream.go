package leasemap

// Streams of watches, one after another, on whatever node is home.

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	"leasemap.dev/leasemap/leasemappb"
)

// stream is a watch that reads a node now. The client's lock guards it.
type stream struct {
	target string
	cancel context.CancelFunc
}

// follower is what is done with the messages of watches that follow each other, on whatever node.
type follower interface {
	// request is what the next stream asks for.
	request() *leasemappb.WatchRequest
	// took is a message of the stream. False ends it all; an error ends this stream, and the next one is tried.
	took(*leasemappb.WatchResponse) (more bool, err error)
	// broke: the stream ended with this error; false ends it all.
	broke(error) bool
}

// follow reads one watch after another, on the client's home node, until the context or the client ends, or the
// follower says so. It never gives up by itself: it tries the nodes in turn, and each at most every two seconds.
func (c *Client) follow(ctx context.Context, f follower) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	for ctx.Err() == nil {
		pause, more := c.followOne(ctx, f)
		if !more {
			return
		}
		if pause > 0 {
			sleep(ctx, pause, nil)
			c.findNodes(ctx)
		}
	}
}

// followOne reads one stream; it returns the pause before the next one, and whether there is to be one.
func (c *Client) followOne(all context.Context, f follower) (pause time.Duration, more bool) {
	ctx, cancel := context.WithCancel(all)
	now := &stream{cancel: cancel}
	c.mu.Lock()
	now.target = c.nodes.pick(c.now())
	c.streams[now] = struct{}{}
	c.mu.Unlock()
	defer func() { // also when the loop over the events panics
		cancel()
		c.mu.Lock()
		delete(c.streams, now)
		c.mu.Unlock()
	}()
	err := c.read(ctx, now, f)
	if err == nil || errors.Is(err, ErrClosed) || all.Err() != nil { // the program ended it: no node is to blame
		return 0, false
	}
	pause = c.streamEnded(now, err)
	return pause, f.broke(err)
}

// read reads one stream; nil if the follower has enough.
func (c *Client) read(ctx context.Context, now *stream, f follower) error {
	stub, err := c.stub(now.target)
	if err != nil {
		return err
	}
	// A node that says nothing for this time is dead, whatever its connection looks like.
	silence := time.AfterFunc(c.silence, now.cancel)
	defer silence.Stop()
	if f, ok := f.(interface {
		begins(context.Context, leasemappb.KeyValueClient)
	}); ok {
		f.begins(ctx, stub)
	}
	messages, err := stub.Watch(ctx, f.request())
	for err == nil {
		var message *leasemappb.WatchResponse
		silence.Reset(c.silence)
		message, err = messages.Recv()
		silence.Stop() // the program may take its time with the message
		if err != nil {
			break
		}
		c.worked(now.target)
		if more, err := f.took(message); err != nil || !more {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return &CallError{Code: codes.Unavailable, Message: "the node ended the watch", Node: now.target,
			kind: ErrUnavailable}
	}
	err = fromCall(ctx, err)
	if base := baseOf(err); base != nil {
		base.Node, base.cause = now.target, nil
	}
	return err
}

// streamEnded returns the pause before the next stream.
func (c *Client) streamEnded(ended *stream, err error) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0
	}
	switch {
	case errors.Is(err, ErrCursor): // the node is fine
		return firstPause
	case errors.Is(err, ErrPermission): // of a watch that goes on all the same, since rights may come back
		return refusedPause
	case !elsewhere(err): // and so it is here; another would say the same
		return longestPause
	case ended.target == c.nodes.home:
		return c.nodeFailedLocked(ended.target)
	}
	return c.nodes.pause(c.now()) // it was cut because the client moved
}
