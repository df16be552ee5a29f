// Fanout measures how long PostgreSQL takes from a NOTIFY's commit to each of many connections that
// LISTEN, or what it costs that so many connections poll. It speaks just enough of PostgreSQL's
// protocol for that: docs/scale/measure.sh runs it.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.socket, "socket", "", "directory of PostgreSQL's socket")
	flag.IntVar(&o.postmaster, "postmaster", 0, "process id of PostgreSQL")
	flag.IntVar(&o.connections, "connections", 1, "how many listen, or poll")
	flag.DurationVar(&o.every, "every", 20*time.Millisecond, "between two notifications or polls")
	flag.DurationVar(&o.lasting, "for", 5*time.Second, "how long")
	flag.StringVar(&o.poll, "poll", "", "a statement by which to poll: no notifications then")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), o.lasting+time.Minute)
	defer cancel()
	if err := o.run(ctx); err != nil {
		log.Print(err)
	}
}

type options struct {
	socket                  string
	postmaster, connections int
	every, lasting          time.Duration
	poll                    string
}

// run opens the connections, lets them poll or listen, and prints what that took.
func (o options) run(ctx context.Context) error {
	r := &record{sent: map[int]time.Time{}, heard: map[int][]time.Time{}}
	var wait sync.WaitGroup
	var open []*connection
	defer func() {
		for _, c := range open {
			_ = c.net.Close() // ends what waits below
		}
		wait.Wait()
	}()
	for range o.connections {
		c, err := dial(ctx, o.socket)
		if err != nil {
			return err
		}
		open = append(open, c)
	}
	for n, c := range open {
		if o.poll != "" {
			wait.Go(func() { r.ask(c, o, time.Duration(n)*o.every/time.Duration(o.connections)) })
			continue
		}
		if err := c.query("LISTEN latchkey"); err != nil {
			return err
		}
		wait.Go(func() { r.listen(c) })
	}
	before := used(o.postmaster)
	if o.poll != "" {
		wait.Wait()
	} else if err := r.notify(ctx, o); err != nil {
		return err
	}
	r.print(o, used(o.postmaster)-before)
	return nil
}

// record is when each notification was sent, committed and heard; of polls, how long they took.
type record struct {
	mu        sync.Mutex
	sent      map[int]time.Time // the commit was asked for
	heard     map[int][]time.Time
	committed []time.Duration
}

// ask polls on one connection.
func (r *record) ask(c *connection, o options, phase time.Duration) {
	time.Sleep(phase)
	for range int(o.lasting / o.every) {
		at := time.Now()
		if err := c.query(o.poll); err != nil {
			log.Print(err)
			return
		}
		r.mu.Lock()
		r.committed = append(r.committed, time.Since(at))
		r.mu.Unlock()
		time.Sleep(o.every - time.Since(at))
	}
}

// notify sends the notifications and waits a second for the last of them.
func (r *record) notify(ctx context.Context, o options) error {
	c, err := dial(ctx, o.socket)
	if err != nil {
		return err
	}
	defer c.net.Close() //nolint:errcheck // nothing is lost
	for n := range int(o.lasting / o.every) {
		at := time.Now()
		r.mu.Lock()
		r.sent[n] = at
		r.mu.Unlock()
		if err := c.query("NOTIFY latchkey, '" + strconv.Itoa(n) + "'"); err != nil {
			return err
		}
		r.committed = append(r.committed, time.Since(at))
		time.Sleep(o.every - time.Since(at))
	}
	time.Sleep(time.Second)
	return nil
}

// listen notes what one connection hears until it is closed.
func (r *record) listen(c *connection) {
	for {
		kind, body, err := c.message()
		if err != nil {
			return
		}
		at := time.Now()
		parts := strings.Split(string(body), "\x00")
		if kind != 'A' || len(parts) < 2 {
			continue
		}
		n, err := strconv.Atoi(parts[len(parts)-2])
		if err != nil {
			continue
		}
		r.mu.Lock()
		r.heard[n] = append(r.heard[n], at)
		r.mu.Unlock()
	}
}

func (r *record) print(o options, work time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	each := func(n int) float64 { return work.Seconds() * 1e6 / float64(max(1, n)) }
	if o.poll != "" {
		fmt.Printf("%d connections poll every %v: %d polls, %.1f us of a core each, %s\n", o.connections,
			o.every, len(r.committed), each(len(r.committed)), spread(r.committed))
		return
	}
	var one, all []time.Duration
	for n, sent := range r.sent {
		latest := time.Duration(0)
		for _, at := range r.heard[n] {
			one = append(one, at.Sub(sent))
			latest = max(latest, at.Sub(sent))
		}
		all = append(all, latest)
	}
	fmt.Printf("%d notifications, one every %v, %d listeners, %d heard, %.1f us of a core each\n",
		len(r.sent), o.every, o.connections, len(one), each(len(one)))
	fmt.Println("      the commit            ", spread(r.committed))
	fmt.Println("      sent to heard by one  ", spread(one))
	fmt.Println("      sent to heard by all  ", spread(all))
}

// used is the processor time of a process and of its children, gone ones included.
func used(pid int) (sum time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of the system
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		itself := filepath.Base(filepath.Dir(file)) == strconv.Itoa(pid)
		if len(fields) < 16 || !itself && fields[1] != strconv.Itoa(pid) {
			continue
		}
		times := fields[11:13]
		if itself {
			times = fields[11:15] // with those of children that are gone
		}
		for _, field := range times {
			ticks, _ := strconv.Atoi(field)
			sum += time.Duration(ticks) * tick
		}
	}
	return sum
}

func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	ms := func(at int) string { return fmt.Sprintf("%.2f ms", d[at].Seconds()*1000) }
	return "p50 " + ms(len(d)/2) + ", p99 " + ms(len(d)*99/100) + ", max " + ms(len(d)-1)
}

// connection is one session of PostgreSQL, version 3 of its protocol.
type connection struct {
	net net.Conn
	in  *bufio.Reader
}

func dial(ctx context.Context, socket string) (*connection, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(socket, ".s.PGSQL.5432"))
	if err != nil {
		return nil, err
	}
	c := &connection{conn, bufio.NewReader(conn)}
	hello := "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
	head := binary.BigEndian.AppendUint32(nil, uint32(len(hello)+4))
	if _, err := conn.Write(append(head, hello...)); err != nil {
		return nil, err
	}
	return c, c.ready()
}

// query runs a statement that returns no rows.
func (c *connection) query(text string) error {
	head := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(text)+5))
	if _, err := c.net.Write(append(append(head, text...), 0)); err != nil {
		return err
	}
	return c.ready()
}

// ready reads up to the message by which PostgreSQL says that it waits for the next statement.
func (c *connection) ready() error {
	for {
		kind, body, err := c.message()
		switch {
		case err != nil:
			return err
		case kind == 'E':
			return errors.New(strings.ReplaceAll(string(body), "\x00", " "))
		case kind == 'Z':
			return nil
		}
	}
}

func (c *connection) message() (kind byte, body []byte, err error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err = io.ReadFull(c.in, body)
	return head[0], body, err
}
