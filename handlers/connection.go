package handlers

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// connection is an open connection. Its state belongs to its connections, under their lock.
type connection struct {
	net.Conn
	connections *connections
	network     netip.Prefix // whose share it counts in; invalid: none
	writeLimit  time.Time    // when a response must be complete; zero: never

	since  time.Time // when the state began
	silent bool      // the client has not sent anything yet
	busy   bool      // a complete request has arrived, and the client takes the response
}

func (n *connections) newConnection(c net.Conn) *connection {
	return &connection{Conn: c, connections: n, network: sharingNetwork(c.RemoteAddr(), n.trusted)}
}

// sharingNetwork returns the network whose connections are counted together: an IPv4 address, or
// the /64 of an IPv6 address. It is invalid for loopback addresses and trusted proxies, which stand
// for many clients, and for what is not an address.
func sharingNetwork(remote net.Addr, trusted []netip.Prefix) netip.Prefix {
	peer, err := netip.ParseAddrPort(remote.String())
	ip := peer.Addr().Unmap().WithZone("")
	if err != nil || ip.IsLoopback() || isTrusted(trusted, remote.String()) {
		return netip.Prefix{}
	}
	network, _ := ip.Prefix(min(ip.BitLen(), 64)) // fails only for too many bits
	return network
}

// SetWriteDeadline sets when a response must be complete. It must not be called during a Write.
func (c *connection) SetWriteDeadline(t time.Time) error {
	c.writeLimit = t
	return nil
}

// Write writes a part of a response. Once the client does not take it at once, the connection is no
// longer busy. Write fails when the client has taken nothing for stallTimeout.
func (c *connection) Write(p []byte) (written int, err error) {
	for timeout := promptTimeout; ; timeout = stallTimeout {
		deadline := time.Now().Add(timeout)
		if !c.writeLimit.IsZero() && c.writeLimit.Before(deadline) {
			deadline = c.writeLimit
		}
		if err := c.Conn.SetWriteDeadline(deadline); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) || timeout == stallTimeout && n == 0 {
			return written, err
		}
		c.connections.setBusy(c, false)
	}
}

// CloseWrite closes the sending half, so that net/http can close without losing the response.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
