package leasemap

// Connections to the nodes, and calls that go on at the next one.

import (
	"context"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // the client's half of health checks by service config
	"google.golang.org/grpc/keepalive"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// With this service config gRPC asks the node's health service, and fails calls at once while the node says
	// NOT_SERVING (it is not ready, or drains). Only round_robin checks health; the client itself goes round the nodes.
	serviceConfig = `{"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":""}}`
	// A watch may bring a value of 1 MiB with its lease beside it; the server's own bound on a message is 16 MiB.
	messageMost = 16 << 20
	// How long a name may take to be looked up; it stays what it was then.
	lookupMost = 2 * time.Second
)

// node is the calls of one node.
type node struct {
	leasemappb.KeyValueClient
	mesh leasemappb.MeshClient
}

func dialOptions(authority string) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// A node is of the name it was given by, whatever address that stands for: TLS asks for it.
		grpc.WithAuthority(authority),
		// The first pause after a failed attempt would else be 1 s, and the longest 2 minutes.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second, Backoff: grpcbackoff.Config{
			BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}}),
		// A node that vanished without a word is noticed within 13 s. Nodes allow one ping in 5 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		// Nodes are next door: http_proxy is for the web.
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMost)),
	}
}

// stub is the node's calls, by a connection that is made when it is first asked for.
func (c *Client) stub(target string) (leasemappb.KeyValueClient, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, closedError()
	}
	conn := c.conns[target]
	if conn == nil {
		authority := c.names[target]
		if authority == "" {
			authority = target
		}
		var err error
		// passthrough: the address is dialled as it is.
		conn, err = grpc.NewClient("passthrough:///"+target, c.config.dialOptions(authority, !isLoopback(target))...)
		if err != nil {
			return nil, c.config.access.cannotConnect(target, err)
		}
		c.conns[target] = conn
	}
	return node{leasemappb.NewKeyValueClient(conn), leasemappb.NewMeshClient(conn)}, nil
}

// dialOptions are those of a connection to nodes of this name. `beyond`: it leaves this machine, or may.
func (c *config) dialOptions(authority string, beyond bool) []grpc.DialOption {
	options, access := dialOptions(authority), &c.access
	if access.transport != nil {
		options = append(options, grpc.WithTransportCredentials(access.transport))
	}
	if access.bearer != nil {
		// gRPC itself refuses to send it in plain text, also where it is not told of TLS by WithTLS.
		secure := !access.insecureToken && beyond
		options = append(options, grpc.WithPerRPCCredentials(perCall{access.bearer, secure}))
	}
	return append(options, c.dial...)
}

// resolve finds the addresses that the endpoints' names stand for, each of which is a node, and of each address the
// name. A name that can't be looked up now stays one.
func resolve(ctx context.Context, endpoints []string) (targets []string, names map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, lookupMost)
	defer cancel()
	names = map[string]string{}
	for _, endpoint := range endpoints {
		host, port, _ := net.SplitHostPort(endpoint) // checked by splitEndpoints
		addresses := []string{host}
		if net.ParseIP(host) == nil {
			if found, err := net.DefaultResolver.LookupHost(ctx, host); err == nil && len(found) > 0 {
				addresses = found
			}
		}
		for _, address := range addresses {
			target := net.JoinHostPort(address, port)
			targets = append(targets, target)
			names[target] = endpoint
		}
	}
	return targets, names
}

// findNodes looks names up again, after all nodes failed: what they stand for may have changed. At most once in the
// longest pause.
func (c *Client) findNodes(ctx context.Context) {
	c.mu.Lock()
	due := c.named && !c.closed && c.now()-c.resolved >= longestPause
	if due {
		c.resolved = c.now()
	}
	c.mu.Unlock()
	if !due {
		return
	}
	targets, names := resolve(ctx, c.given)
	var gone []*grpc.ClientConn
	c.mu.Lock()
	c.nodes.replace(targets)
	c.names = names
	for target, conn := range c.conns {
		if !slices.Contains(targets, target) {
			gone = append(gone, conn)
			delete(c.conns, target)
		}
	}
	c.mu.Unlock()
	for _, conn := range gone {
		conn.Close()
	}
}

func (c *Client) pick() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes.pick(c.now())
}

func (c *Client) worked(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes.worked(target)
}

// nodeFailed notes that a call failed at this node, and returns the pause before the next one is asked. Watches of that
// node move along.
func (c *Client) nodeFailed(target string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodeFailedLocked(target)
}

func (c *Client) nodeFailedLocked(target string) time.Duration {
	now := c.now()
	c.nodes.failed(target, now)
	if c.nodes.pick(now) != target {
		for stream := range c.streams {
			if stream.target == target {
				stream.cancel()
			}
		}
	}
	return c.nodes.pause(now)
}

// call asks the client's home node, and the next one when that fails, until the context ends or, where it has no
// deadline, the client's timeout. It returns the answer and the node that gave it. Of one node it waits for `most`.
func call[Request, Answer any](ctx context.Context, c *Client, most time.Duration, request Request,
	method func(leasemappb.KeyValueClient, context.Context, Request, ...grpc.CallOption) (Answer, error),
) (Answer, string, error) {
	var none Answer
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.config.timeout)
		defer cancel()
	}
	end, _ := ctx.Deadline()
	for {
		target, started := c.pick(), c.now()
		answer, err := try(ctx, c, target, attemptTime(time.Until(end), most), request, method)
		if err == nil {
			c.worked(target)
			return answer, target, nil
		}
		if c.ctx.Err() != nil {
			return none, target, closedError()
		}
		if !elsewhere(err) {
			c.worked(target) // an answer, if not the one that was wanted
			return none, target, err
		}
		// A caller that gave the node no time, or went away, says nothing about the node.
		if ctx.Err() == nil || (ctx.Err() == context.DeadlineExceeded && c.now()-started >= attemptLeast) {
			if pause := c.nodeFailed(target); pause > 0 {
				if pause >= time.Until(end) {
					return none, target, err
				}
				sleep(ctx, pause, c.ctx.Done())
				c.findNodes(ctx)
			}
		}
		if ctx.Err() != nil {
			if base := baseOf(err); base != nil && base.cause == nil {
				base.cause = ended(ctx)
			}
			return none, target, err
		}
	}
}

// try asks one node once.
func try[Request, Answer any](ctx context.Context, c *Client, target string, most time.Duration, request Request,
	method func(leasemappb.KeyValueClient, context.Context, Request, ...grpc.CallOption) (Answer, error),
) (Answer, error) {
	var none Answer
	stub, err := c.stub(target)
	if err != nil {
		return none, err
	}
	attempt, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	answer, err := method(stub, attempt, request)
	if err != nil {
		err = fromCall(ctx, err)
		if base := baseOf(err); base != nil {
			base.Node = target
		}
		return none, err
	}
	return answer, nil
}
