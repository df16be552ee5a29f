package handlers

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits of a connection.
const (
	readTimeout   = 5 * time.Second       // for a whole request
	writeTimeout  = 30 * time.Second      // for a whole response, from the end of the request's header
	stallTimeout  = 5 * time.Second       // for the next byte of a response
	promptTimeout = 10 * time.Millisecond // for a client that reads to take a response
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10    // bytes
	quietTimeout  = time.Second // how long a stop waits for idle connections to close
	drainTimeout  = 10 * time.Second
)

// connections tracks a server's open connections and limits their number. It is safe for
// concurrent use.
type connections struct {
	maximum int
	trusted []netip.Prefix // proxies, which stand for many clients
	mu      sync.Mutex
	open    map[*connection]struct{}
	held    map[netip.Prefix]int // network → its open connections
	freed   chan struct{}        // signals that makeRoom may find room now
}

func newConnections(maximum int, trusted []netip.Prefix) *connections {
	return &connections{maximum: maximum, trusted: trusted, open: map[*connection]struct{}{},
		held: map[netip.Prefix]int{}, freed: make(chan struct{}, 1)}
}

// stateChanged is an http.Server's ConnState.
func (n *connections) stateChanged(conn net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, ok := conn.(*connection)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		c.since, c.silent = time.Now(), true
		n.open[c] = struct{}{}
		n.held[c.network]++
	case http.StateActive, http.StateIdle:
		c.since, c.silent, c.busy = time.Now(), false, false
		n.signal()
	case http.StateClosed, http.StateHijacked:
		n.remove(c)
	}
}

func (n *connections) remove(c *connection) {
	if _, ok := n.open[c]; !ok {
		return
	}
	delete(n.open, c)
	if n.held[c.network]--; n.held[c.network] == 0 {
		delete(n.held, c.network)
	}
	n.signal()
}

func (n *connections) signal() {
	select {
	case n.freed <- struct{}{}:
	default:
	}
}

func (n *connections) setBusy(c *connection, busy bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.busy = busy; !busy {
		n.signal()
	}
}

func (n *connections) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.open)
}

// admission says what becomes of a new connection.
type admission int

const (
	admitted admission = iota
	refused            // its network holds its share, and is served on all of them
	waiting            // until another connection gives way
)

// makeRoom decides about a new connection. At the limit it closes the connection that has waited
// longest for a complete request, or for its client to take the response, so that idle and slow
// clients cannot keep others out. A network that holds its share gives way itself.
func (n *connections) makeRoom(c *connection) admission {
	n.mu.Lock()
	defer n.mu.Unlock()
	sameNetwork := func(other *connection) bool { return other.network == c.network }
	anyNetwork := func(*connection) bool { return true }
	switch {
	case c.network.IsValid() && n.held[c.network] >= n.share() && !n.closeOldest(sameNetwork):
		return refused
	case len(n.open) >= n.maximum && !n.closeOldest(anyNetwork):
		return waiting
	}
	return admitted
}

// share is how many connections one network may hold.
func (n *connections) share() int { return max(1, n.maximum/2) }

// closeOldest closes the one of the candidates that has waited longest. It reports whether there
// was one.
func (n *connections) closeOldest(candidate func(*connection) bool) bool {
	var oldest *connection
	for c := range n.open {
		if !c.busy && candidate(c) && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	n.remove(oldest)
	_ = oldest.Close() // nothing to do about an error
	return true
}

// limitedListener accepts a connection only if there is room for it.
type limitedListener struct {
	net.Listener
	connections *connections
	closed      chan struct{}
	once        sync.Once
}

func (n *connections) limit(l net.Listener) *limitedListener {
	return &limitedListener{Listener: l, connections: n, closed: make(chan struct{})}
}

// Accept waits for the next connection, then until there is room for it.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := l.connections.newConnection(conn)
		if l.admit(c) {
			return c, nil
		}
		_ = c.Close() // nothing to do about an error
	}
}

// admit waits until there is room for a connection. It reports false if the connection is refused.
func (l *limitedListener) admit(c *connection) bool {
	for {
		switch l.connections.makeRoom(c) {
		case admitted:
			return true
		case refused:
			return false
		case waiting:
		}
		select {
		case <-l.connections.freed:
		case <-l.closed: // the server stops, but still serves accepted connections
			return true
		}
	}
}

// Close closes the listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type connectionKey struct{}

// withConnection is an http.Server's ConnContext. It puts the connection into its requests'
// context.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// receiving marks a connection as busy once its request has arrived completely. From then on
// makeRoom does not close it, and the read deadline no longer applies.
func (n *connections) receiving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		received := func() {
			n.setBusy(c, true)
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // fails if c is closed
		}
		if r.ContentLength == 0 {
			received()
		} else {
			r.Body = &watchedBody{r.Body, received}
		}
		next.ServeHTTP(w, r)
	})
}

// watchedBody calls received at the end of a body.
type watchedBody struct {
	io.ReadCloser
	received func()
}

// Read reads from the body.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.received()
	}
	return n, err
}

// wait waits until no connection is open, but not longer than limit. Then it closes the
// connections on which nothing ever arrived, because Shutdown would wait five seconds for them.
func (n *connections) wait(limit time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(limit); n.count() > 0 && time.Now().Before(until); {
		<-tick.C
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.open {
		if c.silent {
			_ = c.Close() // nothing to do about an error
		}
	}
}
