package leasemap

// The holder of a client whom the nodes know by a name: P/host-pid-random, where they let P use what begins with its
// name.

import (
	"context"
	"errors"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// The trailer of an answer that has the name by which the node knows the caller.
	principalTrailer = "leasemap-principal"
	// Bytes of a holder's name (docs/limits.md).
	holderMost = 255
)

// Holder is in whose name this client writes and holds leases. Without WithHolder, a client with a token or a
// certificate, or with dial options, learns at its first write, lease or map by which name P the nodes know it, and is
// P/host-pid-random from then on; before that Holder is without the P/. Identify asks at once.
func (c *Client) Holder() string { return *c.holder.Load() }

// Identify asks a node by which name it knows this client, unless the client knows its holder already, and returns the
// holder. Writes do it by themselves. Errors: ErrUnavailable, ErrPermission.
func (c *Client) Identify(ctx context.Context) (string, error) {
	if !c.unnamed.Load() {
		return c.Holder(), nil
	}
	name := ""
	_, _, err := call(ctx, c, attemptMost, &leasemappb.GetStatusRequest{}, func(stub leasemappb.KeyValueClient,
		ctx context.Context, request *leasemappb.GetStatusRequest, _ ...grpc.CallOption) (*leasemappb.GetStatusResponse, error) {
		var trailer metadata.MD
		answer, err := stub.(node).mesh.GetStatus(ctx, request, grpc.Trailer(&trailer))
		if found := trailer.Get(principalTrailer); len(found) > 0 {
			name = found[0]
			return answer, nil // a refusal tells it, too
		}
		return answer, err
	})
	if base := baseOf(err); err != nil {
		unknown := base != nil && (base.Code == codes.PermissionDenied || base.Code == codes.Unimplemented)
		if !unknown || errors.Is(err, ErrClosed) {
			return "", err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unnamed.Load() { // nobody else was quicker
		if name != "" {
			holder := holderOf(name, c.Holder())
			c.holder.Store(&holder)
		}
		c.unnamed.Store(false)
	}
	return c.Holder(), nil
}

// holderOf is the holder of a caller whom the nodes know as `principal`. Of a long principal's the first part of the
// name is left out, so that the random bits at its end remain.
func holderOf(principal, name string) string {
	room := holderMost - len(principal) - 1
	if room <= 0 {
		return principal
	}
	if len(name) > room {
		name = name[len(name)-room:]
		for len(name) > 0 && !utf8.RuneStart(name[0]) {
			name = name[1:]
		}
	}
	return principal + "/" + name
}
