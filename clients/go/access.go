package leasemap

// How a client proves itself to nodes and knows them: TLS, and a token that goes with each call. Files are read again
// when they change: a token for the next call, certificates for the next connection.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// WithTLS connects by TLS. ca is a file (PEM) of the authorities whose nodes are trusted, "" for those of the system;
// certificate and key are files (PEM, the key not encrypted) of this program's own, for nodes that ask for one, or both
// "". The name or address in the endpoint must be in the node's certificate. Files that were replaced count for the next
// connection.
func WithTLS(ca, certificate, key string) Option {
	return func(c *config) { c.access.ca, c.access.cert, c.access.key, c.access.tls = ca, certificate, key, true }
}

// WithToken sends this token with each call, as `authorization: Bearer TOKEN`. It is not sent in plain text beyond
// loopback: New returns ErrInvalid then, unless WithInsecureToken is given.
func WithToken(token string) Option { return func(c *config) { c.access.token = token } }

// WithTokenFile is WithToken with the contents of a file, which is read again when it changes. White space around the
// token does not count.
func WithTokenFile(path string) Option { return func(c *config) { c.access.tokenFile = path } }

// WithInsecureToken sends the token in plain text, too, where the way to the nodes is safe by itself.
func WithInsecureToken() Option { return func(c *config) { c.access.insecureToken = true } }

// FromEnvironment takes WithTLS, WithToken and WithTokenFile from the variables LEASEMAP_TLS_CA, LEASEMAP_TLS_CERT,
// LEASEMAP_TLS_KEY, LEASEMAP_TOKEN and LEASEMAP_TOKEN_FILE. One that is empty or missing sets nothing, and a file wins
// over a token, as for the command line. Nothing else in this package reads the environment.
func FromEnvironment() Option {
	return func(c *config) {
		ca, certificate, key := os.Getenv("LEASEMAP_TLS_CA"), os.Getenv("LEASEMAP_TLS_CERT"), os.Getenv("LEASEMAP_TLS_KEY")
		if ca != "" || certificate != "" || key != "" {
			WithTLS(ca, certificate, key)(c)
		}
		if file := os.Getenv("LEASEMAP_TOKEN_FILE"); file != "" {
			WithTokenFile(file)(c)
		} else if token := os.Getenv("LEASEMAP_TOKEN"); token != "" {
			WithToken(token)(c)
		}
	}
}

// access is what a client shows to nodes, and whom it trusts.
type access struct {
	tls              bool
	ca, cert, key    string
	token, tokenFile string
	insecureToken    bool

	transport *fileTLS // nil without tls
	bearer    *bearer  // nil without a token
}

// open reads the files.
func (a *access) open(log *slog.Logger) error {
	if (a.cert == "") != (a.key == "") {
		return invalid("the certificate and its key are given together")
	}
	if a.token != "" && a.tokenFile != "" {
		return invalid("give either a token or a file with one")
	}
	if a.tls {
		a.transport = &fileTLS{paths: [3]string{a.ca, a.cert, a.key}, log: log}
		if err := a.transport.load(); err != nil {
			return invalid("%v", err)
		}
	}
	if a.token != "" || a.tokenFile != "" {
		a.bearer = &bearer{path: a.tokenFile, token: a.token, log: log}
		if err := a.bearer.load(); err != nil {
			return invalid("%v", err)
		}
	}
	return nil
}

// cannotConnect is the error of a connection that gRPC refused to make.
func (a *access) cannotConnect(target string, err error) error {
	if a.bearer != nil && a.transport == nil {
		return invalid("the token is not sent to %s in plain text, where others could read it: use WithTLS, or "+
			"WithInsecureToken if the way there is safe by itself (%v)", target, err)
	}
	return invalid("gRPC cannot connect to %s: %v", target, err)
}

// proves: nodes may know this client by a name, of its token or certificate.
func (a *access) proves() bool { return a.bearer != nil || a.cert != "" }

// fileState tells whether a file was replaced.
type fileState struct {
	modified time.Time
	size     int64
	info     os.FileInfo // nil if the file cannot be seen
}

func stateOf(path string) fileState {
	if path == "" {
		return fileState{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size(), info}
}

func (s fileState) same(other fileState) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return s.modified.Equal(other.modified) && s.size == other.size && os.SameFile(s.info, other.info)
}

// fileTLS are the transport credentials of files, as they are when a connection is made.
type fileTLS struct {
	paths [3]string // ca, certificate, key; or ""
	log   *slog.Logger
	mu    sync.Mutex // guards what follows
	seen  [3]fileState
	now   *tls.Config
}

func (f *fileTLS) load() error {
	for i, path := range f.paths {
		f.seen[i] = stateOf(path)
	}
	made := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca := f.paths[0]; ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		made.RootCAs = x509.NewCertPool()
		if !made.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("%q holds no certificate in PEM", ca)
		}
	}
	if f.paths[1] != "" {
		certificate, err := tls.LoadX509KeyPair(f.paths[1], f.paths[2])
		if err != nil {
			return fmt.Errorf("%q and %q are no certificate with its key: %w", f.paths[1], f.paths[2], err)
		}
		made.Certificates = []tls.Certificate{certificate}
	}
	f.now = made
	return nil
}

// config is what the next connection uses. Files that are bad now, as while they are being replaced, leave what was
// read before.
func (f *fileTLS) config() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, path := range f.paths {
		if !f.seen[i].same(stateOf(path)) {
			if err := f.load(); err != nil {
				f.log.Warn("leasemap: the certificates were not read again; those that were read before count on", "error", err)
			}
			break
		}
	}
	return f.now
}

// ClientHandshake is of credentials.TransportCredentials, as what follows.
func (f *fileTLS) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo,
	error) {
	return credentials.NewTLS(f.config()).ClientHandshake(ctx, authority, conn)
}

func (f *fileTLS) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("leasemap: these are the credentials of a client")
}

func (f *fileTLS) Info() credentials.ProtocolInfo { return credentials.NewTLS(&tls.Config{}).Info() }

func (f *fileTLS) Clone() credentials.TransportCredentials { return f }

func (f *fileTLS) OverrideServerName(string) error {
	return errors.New("leasemap: a node is of the name in its endpoint")
}

// bearer has the token. A file that cannot be read any more, or holds no token, leaves the one that was read before.
type bearer struct {
	path  string // or ""
	log   *slog.Logger
	mu    sync.Mutex // guards what follows
	seen  fileState
	token string
}

func (b *bearer) load() error {
	token, source := []byte(b.token), "the token"
	if b.path != "" {
		b.seen, source = stateOf(b.path), fmt.Sprintf("what is in %q", b.path)
		text, err := os.ReadFile(b.path)
		if err != nil {
			return err
		}
		token = bytes.TrimSpace(text)
	}
	for _, each := range token {
		if each <= ' ' || each > '~' {
			token = nil
			break
		}
	}
	if len(token) == 0 { // the error does not show it
		return fmt.Errorf("%s is no token: a token is one word of printable ASCII", source)
	}
	b.token = string(token)
	return nil
}

func (b *bearer) header() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.path != "" && !b.seen.same(stateOf(b.path)) {
		if err := b.load(); err != nil {
			b.log.Warn("leasemap: the token was not read again; the one that was read before counts on", "error", err)
		}
	}
	return "Bearer " + b.token
}

// perCall are the bearer's credentials for the calls of one connection.
type perCall struct {
	bearer *bearer
	secure bool // gRPC refuses to send it in plain text
}

func (p perCall) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": p.bearer.header()}, nil
}

func (p perCall) RequireTransportSecurity() bool { return p.secure }

// isLoopback: what is sent to this host:port does not leave the machine.
func isLoopback(target string) bool {
	host, _, err := net.SplitHostPort(target)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
