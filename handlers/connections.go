package handlers

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a connection.
const (
	readTimeout  = 5 * time.Second // for a whole request
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	maxHeader    = 16 << 10    // bytes
	quietTimeout = time.Second // how long a stop waits for idle connections to close
	drainTimeout = 10 * time.Second
)

// connections tracks a server's open connections and limits their number. It is safe for
// concurrent use.
type connections struct {
	maximum int
	mu      sync.Mutex
	open    map[net.Conn]*connection
	closed  chan struct{} // signals that a connection closed
}

// connection is the state of an open connection.
type connection struct {
	since  time.Time // when the state began
	silent bool      // the client has not sent anything yet
	busy   bool      // a complete request has arrived and the response is not finished
}

func newConnections(maximum int) *connections {
	return &connections{maximum: maximum, open: map[net.Conn]*connection{},
		closed: make(chan struct{}, 1)}
}

// stateChanged is an http.Server's ConnState.
func (n *connections) stateChanged(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		n.open[c] = &connection{since: time.Now(), silent: true}
	case http.StateActive, http.StateIdle:
		if known := n.open[c]; known != nil {
			*known = connection{since: time.Now()}
		}
	case http.StateClosed, http.StateHijacked:
		n.remove(c)
	}
}

func (n *connections) remove(c net.Conn) {
	delete(n.open, c)
	select {
	case n.closed <- struct{}{}:
	default:
	}
}

func (n *connections) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.open)
}

// makeRoom reports whether there is room for another connection. At the limit it closes the
// connection that has waited longest for a complete request, so that idle and slow clients cannot
// keep others out.
func (n *connections) makeRoom() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.open) < n.maximum {
		return true
	}
	var oldest net.Conn
	for c, known := range n.open {
		if !known.busy && (oldest == nil || known.since.Before(n.open[oldest].since)) {
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
	c, err := l.Listener.Accept()
	for err == nil && !l.connections.makeRoom() {
		select {
		case <-l.connections.closed:
		case <-l.closed: // the server stops, but still serves accepted connections
			return c, nil
		}
	}
	return c, err
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
		c, _ := r.Context().Value(connectionKey{}).(net.Conn)
		received := func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			if known := n.open[c]; known != nil {
				known.busy = true
			}
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
	for c, known := range n.open {
		if known.silent {
			_ = c.Close() // nothing to do about an error
		}
	}
}
