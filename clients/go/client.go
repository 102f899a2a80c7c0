package leasemap

// The client: how it is made and ended, and what its parts share.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"google.golang.org/grpc"
)

// Client speaks with one node of a cluster, and with the next one when that fails. Make it with New and end it with
// Close. All its methods may be called from many goroutines at once.
type Client struct {
	config config
	given  []string // the endpoints as they were given
	named  bool     // one of them is a name
	now    func() time.Duration
	chance func() float64
	holder atomic.Pointer[string]
	// The nodes may know this client by a name with which the holder is to begin: it was not asked for yet.
	unnamed atomic.Bool
	// silence is silenceMost, but for tests.
	silence time.Duration

	ctx     context.Context // ends with the client
	cancel  context.CancelFunc
	running sync.WaitGroup // the client's goroutines; added to under mu, and not once it is closed
	closes  sync.Once      // Close, which others wait for

	mu       sync.Mutex // guards all below; never held across a wait or I/O
	closing  bool       // no lease is acquired any more
	closed   bool
	nodes    *endpoints
	names    map[string]string // of an address, the endpoint that it comes from
	resolved time.Duration     // when the names were looked up last
	conns    map[string]*grpc.ClientConn
	streams  map[*stream]struct{}
	maps     map[*Map]struct{}
	leases   map[string]*Lease // held, or being acquired: one of a key at a time
	keys     *keyWatches
	keeping  bool          // the keeper runs
	keep     chan struct{} // wakes the keeper: one token
	renewals int           // calls under way that renew leases
}

// New makes a client for the nodes at these endpoints: host:port, with commas between. A name means all its addresses,
// each of which is a node. The client starts at a random node and stays there until that one fails. Names are looked up
// at once, for 2 s at most. No connection is made before the first call. ErrInvalid if an option or a file of one is wrong.
func New(endpoints string, options ...Option) (*Client, error) {
	c := &Client{config: config{timeout: 5 * time.Second, log: slog.Default()}, now: bootTime, chance: mathrand.Float64,
		silence: silenceMost,
		conns:   map[string]*grpc.ClientConn{}, streams: map[*stream]struct{}{}, maps: map[*Map]struct{}{},
		leases: map[string]*Lease{}, keep: make(chan struct{}, 1)}
	for _, option := range options {
		option(&c.config)
	}
	if c.config.timeout <= 0 {
		return nil, invalid("the timeout must be more than 0")
	}
	holder := c.config.holder
	if holder == "" {
		holder = defaultHolder()
	}
	c.holder.Store(&holder)
	err := c.config.access.open(c.config.log)
	if err != nil {
		return nil, err
	}
	c.unnamed.Store(c.config.holder == "" && (c.config.access.proves() || len(c.config.dial) > 0))
	if c.given, err = splitEndpoints(endpoints); err != nil {
		return nil, err
	}
	for _, endpoint := range c.given {
		host, _, _ := net.SplitHostPort(endpoint)
		c.named = c.named || net.ParseIP(host) == nil
	}
	targets, names := resolve(context.Background(), c.given)
	c.nodes, c.names, c.resolved = newEndpoints(targets, c.chance), names, c.now()
	c.keys = newKeyWatches(c)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if c.config.access.bearer != nil {
		for _, target := range targets {
			if _, err := c.stub(target); err != nil { // no connection is made yet
				c.Close()
				return nil, err
			}
		}
	}
	return c, nil
}

// Node is host:port of the node that the client asks now.
func (c *Client) Node() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes.home
}

// Close gives up the leases that the client keeps, which takes 3 s at most, and ends its maps, watches and calls under
// way. Leases of plain writes stay. When it returns none of the client's goroutines runs any more. It returns nil, and
// may be called again.
func (c *Client) Close() error {
	c.closes.Do(c.close)
	return nil
}

func (c *Client) close() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.giveUpAll()
	c.mu.Lock()
	c.closed = true
	leases := make([]*Lease, 0, len(c.leases))
	for _, lease := range c.leases {
		leases = append(leases, lease)
	}
	conns := c.conns
	c.conns = map[string]*grpc.ClientConn{}
	c.mu.Unlock()
	for _, lease := range leases {
		c.endLease(lease, stateLost, "the client was closed", true)
	}
	c.cancel()
	for _, conn := range conns {
		conn.Close()
	}
	c.running.Wait()
}

// spawn starts a goroutine that Close waits for; false if the client was closed.
func (c *Client) spawn(run func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spawnLocked(run)
}

func (c *Client) spawnLocked(run func()) bool {
	if c.closed {
		return false
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		run()
	}()
	return true
}

// defaultHolder is a name of this client's own: host, process and chance.
func defaultHolder() string {
	host, _ := os.Hostname() // empty where it can't be told
	host = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, host)
	if host == "" {
		host = "host"
	}
	if len(host) > 200 { // of 255 bytes, what the rest leaves
		host = strings.ToValidUTF8(host[:200], "")
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), randomHex(4))
}

// randomHex is chance in hex digits, two a byte.
func randomHex(bytes int) string {
	some := make([]byte, bytes)
	rand.Read(some) // does not fail: crypto/rand ends the program where the kernel gives no chance
	return hex.EncodeToString(some)
}
