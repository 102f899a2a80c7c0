package leasemap

// A connection over all nodes, for calls that a program makes by the generated stubs.

import (
	"context"
	"log/slog"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
)

// Dial makes a gRPC connection over all nodes of the endpoints, for calls that Client does not have:
//
//	conn, err := leasemap.Dial("n1:7400,n2:7400", leasemap.FromEnvironment())
//	members, err := leasemappb.NewMeshClient(conn).ListMembers(ctx, &leasemappb.ListMembersRequest{})
//
// A name means all its addresses, and is looked up again when a connection fails. gRPC asks each node's health service,
// and calls go round the nodes that serve. Of the options those of TLS, tokens, logs and dialling count. A token is sent in
// plain text to loopback addresses alone, unless WithInsecureToken is given. ErrInvalid if an option is wrong. Close the
// connection at the end. Writes that follow each other, and leases, are for a Client, which stays with
// one node (docs/decisions/0022-a-client-stays-with-one-node.md).
func Dial(endpoints string, options ...Option) (*grpc.ClientConn, error) {
	c := config{log: slog.Default()}
	for _, option := range options {
		option(&c)
	}
	if err := c.access.open(c.log); err != nil {
		return nil, err
	}
	given, err := splitEndpoints(endpoints)
	if err != nil {
		return nil, err
	}
	beyond := slices.ContainsFunc(given, func(endpoint string) bool { return !isLoopback(endpoint) })
	dial := append(c.dialOptions(given[0], beyond), grpc.WithResolvers(nodesBuilder{given}))
	conn, err := grpc.NewClient(nodesScheme+":///", dial...)
	if err != nil {
		return nil, c.access.cannotConnect(endpoints, err)
	}
	return conn, nil
}

// nodesScheme is of targets whose nodes this package finds. gRPC knows it of this package's connections alone.
const nodesScheme = "leasemap"

// nodesBuilder makes the resolver of one connection.
type nodesBuilder struct{ endpoints []string }

func (b nodesBuilder) Scheme() string { return nodesScheme }

func (b nodesBuilder) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver,
	error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &nodesResolver{endpoints: b.endpoints, conn: conn, cancel: cancel, again: make(chan struct{}, 1),
		ended: make(chan struct{})}
	go r.run(ctx)
	return r, nil
}

// nodesResolver tells gRPC the addresses of the endpoints: at once, and whenever gRPC asks again.
type nodesResolver struct {
	endpoints []string
	conn      resolver.ClientConn
	cancel    context.CancelFunc
	again     chan struct{} // one token
	ended     chan struct{}
}

func (r *nodesResolver) run(ctx context.Context) {
	defer close(r.ended)
	for {
		targets, names := resolve(ctx, r.endpoints)
		if ctx.Err() != nil {
			return
		}
		r.conn.UpdateState(stateOfNodes(targets, names)) // its error is gRPC's wish to ask again, which it does
		// Connections that fail ask again each time: names are looked up at most once in the longest pause.
		sleep(ctx, longestPause, nil)
		select {
		case <-ctx.Done():
			return
		case <-r.again:
		}
	}
}

// stateOfNodes is the nodes as gRPC takes them: each address once, by the name that its certificate is to have.
func stateOfNodes(targets []string, names map[string]string) resolver.State {
	var state resolver.State
	for i, target := range targets {
		if !slices.Contains(targets[:i], target) {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: target, ServerName: names[target]})
		}
	}
	return state
}

// ResolveNow is called by gRPC when a connection fails.
func (r *nodesResolver) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case r.again <- struct{}{}:
	default:
	}
}

// Close is called by gRPC, which takes no news from then on.
func (r *nodesResolver) Close() {
	r.cancel()
	<-r.ended
}
