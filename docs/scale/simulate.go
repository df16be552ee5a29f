package main

import (
	"container/heap"
	"math"
	"slices"
)

// fanout is one run of the simulation: tokens are ended, and every node comes to know it. Times are
// in seconds.
type fanout struct {
	nodes int
	rate  float64 // tokens ended a second
	lost  float64 // share of notifications that do not arrive
	gap   float64 // a node does not read again sooner
	poll  float64
	hold  float64 // how long one end keeps the row locked, its commit included
	trip  float64 // there and back, without jitter

	jitter   float64 // mean of an exponential part of each way
	cores    int     // of the database, for notifying and reading
	notify   float64 // of a core, for one notification at one node
	read     float64 // of a core, for one reading
	breaks   float64 // a second and node: the listening connection ends
	mend     float64 // until it listens again
	cuts     float64 // a second and node: the node is cut off the database
	cut      float64 // how long
	duration float64
	seed     uint64
}

// outcome is what a run came to, in seconds, sorted.
type outcome struct {
	waited []float64 // from the request to the commit, for each end
	each   []float64 // from the commit until one node refuses, for each node and end
	last   []float64 // until the last node refuses, for each end
	reads  float64   // a second and node
	busy   float64   // share of the database's cores that the fan-out takes
}

// generator is SplitMix64: the same seed gives the same run.
type generator uint64

func (g *generator) uniform() float64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// exponential draws with a mean; of an infinite or no mean it is that mean.
func (g *generator) exponential(mean float64) float64 {
	if mean == 0 || math.IsInf(mean, 1) {
		return mean
	}
	return -mean * math.Log(1-g.uniform())
}

type kind int

const (
	commit  kind = iota // a token has ended
	heard               // a notification reaches a node
	tick                // a node polls
	asked               // a node's question reaches the database
	taken               // the database looks
	known               // the answer reaches the node
	broken              // a listening connection ends
	cutOff              // a node is cut off
	retried             // a reading that had to wait
)

type event struct {
	at   float64
	kind kind
	node int
	upTo int // known: the ends that the answer tells of
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push is for container/heap.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop is for container/heap.
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

type node struct {
	knows     int // so many ends
	reading   bool
	again     bool    // something came while it was reading
	readAt    float64 // when it last began
	deafUntil float64 // its listening connection is away
	cutUntil  float64
}

type run struct {
	fanout
	random    generator
	queue     events
	nodes     []node
	free      []float64 // when each core of the database is free
	committed []float64 // when each end was
	ignorant  int       // nodes that do not know every end
	readings  int
	work      float64
	out       outcome
}

// simulate runs until every node knows every end.
func (f fanout) simulate() outcome {
	r := &run{fanout: f, random: generator(f.seed), nodes: make([]node, f.nodes),
		free: make([]float64, f.cores)}
	r.plan()
	for r.queue.Len() > 0 {
		e := heap.Pop(&r.queue).(event)
		if e.at > f.duration && r.ignorant == 0 {
			break
		}
		r.handle(e)
	}
	r.out.reads = float64(r.readings) / f.duration / float64(f.nodes)
	r.out.busy = r.work / f.duration / float64(f.cores)
	for _, list := range [][]float64{r.out.waited, r.out.each, r.out.last} {
		slices.Sort(list)
	}
	return r.out
}

// plan draws when tokens are ended, one commit after the other, and when nodes first poll, are deaf
// and are cut off.
func (r *run) plan() {
	at, done := r.random.exponential(1/r.rate), 0.0
	for ; at < r.duration; at += r.random.exponential(1 / r.rate) {
		done = max(at, done) + r.hold
		r.out.waited = append(r.out.waited, done-at)
		r.push(event{at: done, kind: commit})
	}
	for n := range r.nodes {
		r.nodes[n].readAt = math.Inf(-1)
		r.push(event{at: r.random.uniform() * r.poll, kind: tick, node: n})
		r.push(event{at: r.random.exponential(1 / r.breaks), kind: broken, node: n})
		r.push(event{at: r.random.exponential(1 / r.cuts), kind: cutOff, node: n})
	}
}

func (r *run) push(e event) {
	if !math.IsInf(e.at, 1) {
		heap.Push(&r.queue, e)
	}
}

func (r *run) handle(e event) {
	n := &r.nodes[e.node]
	switch e.kind {
	case commit:
		r.announce(e.at)
	case heard:
		if e.at >= n.deafUntil && e.at >= n.cutUntil {
			r.look(e.node, e.at)
		}
	case tick:
		r.push(event{at: e.at + r.poll, kind: tick, node: e.node})
		r.look(e.node, e.at)
	case retried:
		n.reading = false
		r.look(e.node, e.at)
	case asked:
		start := r.compute(e.at, r.read)
		r.push(event{at: start, kind: taken, node: e.node})
	case taken:
		r.push(event{at: e.at + r.read + r.way(), kind: known, node: e.node, upTo: len(r.committed)})
	case known:
		r.learn(e)
	case broken:
		n.deafUntil = e.at + r.mend
		r.push(event{at: n.deafUntil, kind: heard, node: e.node}) // it reads when it listens again
		r.push(event{at: n.deafUntil + r.random.exponential(1/r.breaks), kind: broken, node: e.node})
	case cutOff:
		n.cutUntil = e.at + r.cut
		r.push(event{at: n.cutUntil + r.random.exponential(1/r.cuts), kind: cutOff, node: e.node})
	}
}

// announce notes a commit and notifies the nodes, one after the other on each core.
func (r *run) announce(at float64) {
	r.committed = append(r.committed, at)
	r.out.last = append(r.out.last, 0)
	r.ignorant = len(r.nodes)
	for n := range r.nodes {
		sent := r.compute(at, r.notify) + r.notify
		if r.random.uniform() >= r.lost {
			r.push(event{at: sent + r.way(), kind: heard, node: n})
		}
	}
}

// look lets a node read, one reading at a time and not sooner than the gap after the last.
func (r *run) look(id int, at float64) {
	n := &r.nodes[id]
	if n.reading {
		n.again = true
		return
	}
	n.reading, n.again = true, false
	if ready := max(n.readAt+r.gap, n.cutUntil); ready > at {
		r.push(event{at: ready, kind: retried, node: id})
		return
	}
	n.readAt = at
	r.readings++
	r.push(event{at: at + r.way(), kind: asked, node: id})
}

// compute finds a core of the database and returns when the work begins there.
func (r *run) compute(at, work float64) float64 {
	first := 0
	for c := range r.free {
		if r.free[c] < r.free[first] {
			first = c
		}
	}
	start := max(at, r.free[first])
	r.free[first] = start + work
	r.work += work
	return start
}

// learn notes what a node knows from now on.
func (r *run) learn(e event) {
	n := &r.nodes[e.node]
	for ; n.knows < e.upTo; n.knows++ {
		lag := e.at - r.committed[n.knows]
		r.out.each = append(r.out.each, lag)
		r.out.last[n.knows] = max(r.out.last[n.knows], lag)
	}
	r.ignorant = 0
	for i := range r.nodes {
		if r.nodes[i].knows < len(r.committed) {
			r.ignorant++
			break
		}
	}
	n.reading = false
	if n.again {
		r.look(e.node, e.at)
	}
}

func (r *run) way() float64 { return r.trip/2 + r.random.exponential(r.jitter) }

// quantile of a sorted list.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum / float64(max(1, len(list)))
}
