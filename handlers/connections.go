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
	quietTimeout = time.Second // how long a stop waits for connections that ask nothing
	drainTimeout = 10 * time.Second
)

// connections knows a server's open connections and keeps them at most so many. It is safe for
// concurrent use.
type connections struct {
	most   int
	mu     sync.Mutex
	open   map[net.Conn]*connection
	closed chan struct{} // tells of one that closed
}

// connection is what one does at the moment.
type connection struct {
	since  time.Time // when that began
	silent bool      // nothing has come on it yet
	busy   bool      // a request is there whole and not answered yet
}

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*connection{}, closed: make(chan struct{}, 1)}
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

// makeRoom closes, if there are too many, the connection on which for the longest time no whole
// request has come, and says whether there is room now. A client that keeps connections open, or
// sends its requests slowly, keeps nobody out.
func (n *connections) makeRoom() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.open) < n.most {
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
	_ = oldest.Close() // it is to go
	return true
}

// limited accepts a connection only when there is room for it.
type limited struct {
	net.Listener
	connections *connections
	closed      chan struct{}
	once        sync.Once
}

func (n *connections) limit(l net.Listener) *limited {
	return &limited{Listener: l, connections: n, closed: make(chan struct{})}
}

// Accept waits for the next connection, then until there is room for it.
func (l *limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	for err == nil && !l.connections.makeRoom() {
		select {
		case <-l.connections.closed:
		case <-l.closed: // a stop still answers what has come
			return c, nil
		}
	}
	return c, err
}

// Close closes the listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type connectionKey struct{}

// withConnection is an http.Server's ConnContext: a request knows its connection.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// receiving notes when a request is there whole. From then on its connection is not closed for
// another's sake, and the time that a client has to send it plays no part.
func (n *connections) receiving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(net.Conn)
		received := func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			if known := n.open[c]; known != nil {
				known.busy = true
			}
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // gone already: no matter
		}
		if r.ContentLength == 0 {
			received()
		} else {
			r.Body = &watchedBody{r.Body, received}
		}
		next.ServeHTTP(w, r)
	})
}

// watchedBody tells when all of a body was read.
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

// wait returns when no connection is open, or after so long; then it closes those on which nothing
// ever came, with which Shutdown would be patient for five seconds.
func (n *connections) wait(most time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(most); n.count() > 0 && time.Now().Before(until); {
		<-tick.C
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for c, known := range n.open {
		if known.silent {
			_ = c.Close() // it is to go
		}
	}
}
