package leasemap

// Tokens and refusals, against nodes that look at what each call shows; options and files that are wrong.

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

// knowing is a node that knows callers by their tokens.
type knowing struct {
	*fakeNode
	mu     sync.Mutex
	names  map[string]string // of each token; "": the node says none
	denied map[string]bool   // by method
	tokens []string          // of each call
}

func startKnowing(t *testing.T) *knowing {
	k := &knowing{fakeNode: &fakeNode{store: newFakeStore()}, names: map[string]string{"secret": "alice"},
		denied: map[string]bool{}}
	k.fakeNode.onFail(k.look)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, healthy := grpc.NewServer(), health.NewServer()
	k.fakeNode.target = listener.Addr().String()
	leasemappb.RegisterKeyValueServer(server, k.fakeNode)
	leasemappb.RegisterMeshServer(server, meshOf{k: k})
	healthpb.RegisterHealthServer(server, healthy)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return k
}

// look refuses whom the node does not know, or does not allow the method.
func (k *knowing) look(ctx context.Context, method string, _ proto.Message) error {
	found, _ := metadata.FromIncomingContext(ctx)
	token := strings.TrimPrefix(strings.Join(found["authorization"], ","), "Bearer ")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens = append(k.tokens, method+" "+token)
	name, known := k.names[token]
	if !known {
		return failure(codes.Unauthenticated, "UNAUTHENTICATED", nil)
	}
	if name != "" {
		grpc.SetTrailer(ctx, metadata.Pairs(principalTrailer, name))
	}
	if k.denied[method] {
		return failure(codes.PermissionDenied, "PERMISSION_DENIED", nil)
	}
	return nil
}

func (k *knowing) deny(methods ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, method := range methods {
		k.denied[method] = true
	}
}

// seen are the calls of a method, each with its token.
func (k *knowing) seen(method string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	count := 0
	for _, each := range k.tokens {
		if strings.HasPrefix(each, method+" ") {
			count++
		}
	}
	return count
}

type meshOf struct {
	leasemappb.UnimplementedMeshServer
	k *knowing
}

func (m meshOf) GetStatus(ctx context.Context, request *leasemappb.GetStatusRequest) (*leasemappb.GetStatusResponse,
	error) {
	return &leasemappb.GetStatusResponse{}, m.k.look(ctx, "GetStatus", request)
}

func clientOf(t *testing.T, k *knowing, options ...Option) *Client {
	t.Helper()
	c, err := New(k.target, append([]Option{WithLogger(quiet)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var ofAlice = regexp.MustCompile(`^alice/.+-\d+-[0-9a-f]{8}$`)

func TestATokenGoesWithEachCallAndNamesTheHolder(t *testing.T) {
	k := startKnowing(t)
	c := clientOf(t, k, WithToken("secret"))
	entry, err := c.Set(background, "k", "v")
	if err != nil || !ofAlice.MatchString(entry.Holder) || entry.Holder != c.Holder() {
		t.Fatal(entry.Holder, err)
	}
	lease, err := c.TryLock(background, "lock")
	if err != nil || lease.Entry().Holder != c.Holder() || lease.Entry().Value != c.Holder() {
		t.Fatal(lease, err)
	}
	m, err := c.Map(background, "")
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	equal(t, k.seen("GetStatus"), 1, "the name is asked for once")
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, each := range k.tokens {
		equal(t, strings.HasSuffix(each, " secret"), true, each)
	}
}

func TestWhoAsksForAName(t *testing.T) {
	for what, each := range map[string]struct {
		options []Option
		name    string // of the token
		denied  bool
		asked   int
		alice   bool
	}{
		"a holder of its own stays":       {[]Option{WithToken("secret"), WithHolder("me")}, "alice", false, 0, false},
		"a node may say no name":          {[]Option{WithToken("secret")}, "", false, 1, false},
		"a refusal may say none":          {[]Option{WithToken("secret")}, "", true, 1, false},
		"a refusal may say the name":      {[]Option{WithToken("secret")}, "alice", true, 1, true},
		"credentials of gRPC may name":    {[]Option{WithDialOptions(grpc.WithPerRPCCredentials(plain{}))}, "alice", false, 1, true},
		"without a token nobody is asked": {nil, "alice", false, 0, false},
	} {
		k := startKnowing(t)
		k.names["secret"], k.names[""] = each.name, ""
		if each.denied {
			k.deny("GetStatus")
		}
		c := clientOf(t, k, each.options...)
		entry, err := c.Set(background, "k", "v")
		if err != nil {
			t.Fatal(what, err)
		}
		equal(t, k.seen("GetStatus"), each.asked, what)
		equal(t, ofAlice.MatchString(entry.Holder), each.alice, what)
	}
}

// plain are credentials of a program's own.
type plain struct{ token }

func (plain) RequireTransportSecurity() bool { return false }

func TestHoldersOfLongNamesKeepTheRandomBits(t *testing.T) {
	equal(t, holderOf("alice", "host-1-abcdef01"), "alice/host-1-abcdef01", "a short one")
	for _, length := range []int{230, 240, 245, 253, 254, 255} {
		holder := holderOf(strings.Repeat("p", length), "höst-4711-abcdef01")
		if len(holder) > 255 || !isText(holder) || !strings.HasSuffix("/höst-4711-abcdef01", strings.TrimLeft(holder, "p/")) {
			t.Error(length, holder)
		}
	}
}

func TestRefusalsAreNotTriedAgain(t *testing.T) {
	for what, each := range map[string]struct {
		token string
		kind  error
	}{"nobody": {"unknown", ErrUnauthenticated}, "without the right": {"secret", ErrPermission}} {
		k := startKnowing(t)
		k.deny("Set", "Get", "Renew", "Watch")
		c := clientOf(t, k, WithToken(each.token), WithHolder("me"))
		check := func(method string, err error) {
			t.Helper()
			if !errors.Is(err, each.kind) || !errors.Is(err, ErrPermission) {
				t.Errorf("%s, %s: %v", what, method, err)
			}
			equal(t, errors.Is(err, ErrUnauthenticated), each.kind == ErrUnauthenticated, what)
			equal(t, k.seen(method), 1, what+": "+method)
		}
		_, err := c.Set(background, "k", "v")
		check("Set", err)
		_, err = c.Lease(background, "k", Wait())
		check("Renew", err)
		for _, err = range c.Watch(background) {
		}
		check("Watch", err)
		if _, err = c.Map(background, ""); !errors.Is(err, each.kind) {
			t.Error(what, err)
		}
		equal(t, k.seen("Watch"), 2, what)
	}
}

func TestAMapThatWasRefusedSaysSo(t *testing.T) {
	k := startKnowing(t)
	c := clientOf(t, k, WithToken("secret"))
	m, err := c.Map(background, "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, m.Err(), nil, "it goes on")
	events := m.Events(background)
	k.deny("Watch")
	k.fakeNode.mu.Lock()
	k.fakeNode.after = refusing("Watch", failure(codes.Unavailable, "DRAINING", nil)) // the stream ends with its next message
	k.fakeNode.mu.Unlock()
	if _, err := c.Set(background, "k", "v"); err != nil {
		t.Fatal(err)
	}
	for range events { // until the watch is refused
	}
	if err := m.WaitSynced(background); !errors.Is(err, ErrPermission) || !errors.Is(m.Err(), ErrPermission) || m.Synced() {
		t.Fatal(err, m.Err(), m.Synced())
	}
	if value, _ := m.Get("k"); value != "v" {
		t.Fatal("the copy stays")
	}
}

func TestATokenStaysOnThisMachine(t *testing.T) {
	for _, target := range []string{"10.0.0.1:7400", "[2001:db8::1]:7400", "127.0.0.1:7400,10.0.0.1:7400"} {
		_, err := New(target, WithToken("secret"))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "in plain text") || strings.Contains(err.Error(), "secret") {
			t.Error(target, err)
		}
	}
	for _, options := range [][]Option{{WithToken("secret"), WithInsecureToken()}, {WithToken("secret"), WithTLS("", "", "")}} {
		c, err := New("10.0.0.1:7400", options...)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

func TestATokenFileIsReadAgain(t *testing.T) {
	k := startKnowing(t)
	k.names["another"] = "alice"
	file := filepath.Join(t.TempDir(), "token")
	replace := func(text string) {
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	replace("secret\n")
	c := clientOf(t, k, WithTokenFile(file))
	write := func() {
		if _, err := c.Set(background, "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	write()
	replace("another\n")
	write()
	replace("\n") // no token: the last one counts
	write()
	k.mu.Lock()
	defer k.mu.Unlock()
	equal(t, strings.Join(k.tokens, ", "), "GetStatus secret, Set secret, Set another, Set another", "tokens")
}

func TestOptionsThatAreWrong(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, each := range [][]Option{{WithTLS("", "cert", "")}, {WithTLS("", "", "key")}, {WithTLS(empty, "", "")},
		{WithTLS("", empty, empty)}, {WithTLS(empty+"-missing", "", "")}, {WithToken("two words")}, {WithTokenFile(empty)},
		{WithTokenFile(empty + "-missing")}, {WithToken("a"), WithTokenFile(empty)}} {
		if _, err := New("127.0.0.1:7400", each...); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "two words") {
			t.Error(err)
		}
	}
}

func TestTheEnvironmentIsReadWhereItIsAskedFor(t *testing.T) {
	for name, value := range map[string]string{"CA": "ca", "CERT": "c", "KEY": "k"} {
		t.Setenv("LEASEMAP_TLS_"+name, value)
	}
	t.Setenv("LEASEMAP_TOKEN", "t")
	t.Setenv("LEASEMAP_TOKEN_FILE", "")
	var found, files config
	FromEnvironment()(&found)
	equal(t, found.access, access{tls: true, ca: "ca", cert: "c", key: "k", token: "t"}, "options")
	t.Setenv("LEASEMAP_TOKEN_FILE", "f")
	FromEnvironment()(&files)
	equal(t, files.access, access{tls: true, ca: "ca", cert: "c", key: "k", tokenFile: "f"}, "options")
}
