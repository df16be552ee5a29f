package main

import (
	"cmp"
	"math"
	"slices"
)

// size is what a plan is for.
type size struct{ users, nodes float64 }

// load is what users of a size ask for in the busiest hour, and what must be kept for them.
type load struct {
	active, tokens, ended          float64 // users of a day; rows of each table
	logins, renewals, ends, checks float64 // a second; ends include those by renewals
	commits                        float64 // a second, of all these
}

func (in *inputs) load(s size) load {
	l := load{active: s.users * in.active}
	busy := l.active * in.peak / day
	l.logins, l.renewals, l.checks = busy*in.logins, busy*in.renewals, busy*in.verifications
	l.ends = busy * (in.renewals*in.renewalEnds + in.ends)
	l.commits = l.logins + l.renewals + busy*in.ends
	kept := in.forget + in.purgeEvery/2
	l.tokens = (l.logins+l.renewals)/in.peak*(in.lifetime+kept) +
		s.users*in.serviceTokens*(1+kept/in.serviceLife)
	l.ended = l.ends / in.peak * (in.lifeLeft + kept)
	return l
}

// spread is over how many nodes the requests of one token go.
func (in *inputs) spread(s size) float64 {
	if in.sticky == 1 {
		return 1
	}
	return s.nodes
}

// uses are the last uses that nodes store each second: one for each token, node and flush in which
// that token came to that node at all, if requests come at random.
func (in *inputs) uses(s size) float64 {
	if s.users == 0 {
		return 0
	}
	l, places := in.load(s), in.spread(s)
	each := l.checks / l.active / places * in.flushEvery // requests of a token at a node in a flush
	return l.active * places * -math.Expm1(-each) / in.flushEvery
}

// missed are the requests a second whose account the node does not remember: k users share a slot
// and ask equally often, so the one that asked last is the same again one time in k.
func (in *inputs) missed(s size) float64 {
	l := in.load(s)
	here := l.active * in.spread(s) / s.nodes
	return l.checks * (1 - min(1, in.slots/max(1, here)))
}

// notifications are those that each node gets a second.
func (in *inputs) notifications(s size) float64 {
	if in.notifyWork == 0 {
		return 0
	}
	return in.load(s).ends
}

// readings are those of one node a second in which it learns something: by notifications one at a
// time, and what comes meanwhile makes one more. Arrivals are at random, so that a node waits for
// the next one with probability e^(-rate*t), t being what a reading takes. Without notifications
// they are the polls before which something came.
func (in *inputs) readings(s size) float64 {
	rate := in.load(s).ends
	if in.notifyWork == 0 {
		return -math.Expm1(-rate*in.poll) / in.poll
	}
	t := max(in.gap, in.trip+2*in.jitter+in.readWork)
	return 1 / (t + math.Exp(-rate*t)/rate)
}

// held is how long one end keeps the row locked.
func (in *inputs) held() float64 { return in.commit + in.statements*in.trip }

// use is how much of a resource is used.
type use struct {
	what        string
	used, there float64
	unit        string
	atNode      bool // more nodes help
	alone       bool // only separate installations help
}

func (u use) share() float64 { return u.used / u.there }

// bill is what a size takes.
type bill struct {
	size
	load
	uses, missed, readings float64 // a second, of all nodes together
	resources              []use   // of which most is used first
	start                  float64 // seconds, with all ended tokens
	hashCores, checkCores  float64 // of all nodes together
}

// bill reckons what a size takes.
func (in *inputs) bill(s size) bill {
	b := bill{size: s, load: in.load(s), uses: in.uses(s), missed: in.missed(s)}
	b.readings = s.nodes * (in.readings(s) + 1/in.poll)
	b.commits += s.nodes / in.flushEvery
	b.start = b.ended * in.startEnding
	b.hashCores, b.checkCores = b.logins/in.loginRate, b.checks/in.verifyRate
	b.resources = append(in.atNode(b), in.atDatabase(b)...)
	slices.SortStableFunc(b.resources, func(x, y use) int { return cmp.Compare(y.share(), x.share()) })
	return b
}

func (in *inputs) atNode(b bill) []use {
	hashing := in.nodeCores - 1
	return []use{
		{"hashing", b.hashCores, b.nodes * hashing, "cores", true, false},
		{"node cores", b.hashCores + b.checkCores, b.nodes * in.nodeCores, "cores", true, false},
		{"node memory", in.nodeMemory + b.ended*in.endingMemory + hashing*in.hashMemory +
			in.slots*100, in.nodeRAM, "B", false, true},
	}
}

func (in *inputs) atDatabase(b bill) []use {
	issued := b.logins + b.renewals
	work := issued*in.loginWork + b.ends*in.endWork + b.uses*in.useWork + issued/in.peak*in.purgeWork +
		b.missed*in.userWork + b.nodes/in.poll*in.pollWork +
		b.nodes*in.readings(b.size)*in.readWork + b.nodes*in.notifications(b.size)*in.notifyWork
	rows := b.users*in.userBytes + b.tokens*in.tokenBytes + b.ended*in.endingBytes
	connections := b.nodes * (in.pool + 1)
	if in.pool == 0 {
		connections = pooled
	}
	return []use{
		{"database cores", work, in.dbCores, "cores", false, true},
		{"lock of ended tokens", b.ends * in.held(), in.lanes, "", false, true},
		{"disk", rows * in.slack, in.disk, "B", false, true},
		{"log", issued*in.loginLog + b.ends*in.endLog + b.uses*in.useLog, in.logRate, "B/s", false, true},
		{"connections", connections, in.connections, "", false, true},
		{"connections' memory", connections * in.connectionMemory, in.dbRAM / 2, "B", false, true},
		{"database network", in.network(b), in.dbNet, "B/s", false, true},
	}
}

// network is what goes to and from the database, in bytes a second, the following of ended tokens
// and the rows that are written and read.
func (in *inputs) network(b bill) float64 {
	following := b.nodes*in.notifications(b.size)*in.notifyWire + b.readings*in.readWire +
		b.nodes*b.ends*in.endWire
	return following + (b.logins+b.renewals+b.ends)*6*in.readWire + (b.uses+b.missed)*in.readWire
}

// of finds a resource.
func (b bill) of(what string) use {
	for _, u := range b.resources {
		if u.what == what {
			return u
		}
	}
	return use{}
}

// full is the share above which nothing should be planned.
const full = 0.7

// divided is the smallest number of separate installations, each with its part of the users and of
// the nodes, at which the database and the nodes' memory suffice, and how many nodes they need
// together for hashing and verifying. It is at most 10,000.
func (in *inputs) divided(users float64) (installations, nodes float64) {
	b := in.bill(size{users, 1})
	nodes = 1
	for _, u := range b.resources {
		if u.atNode {
			nodes = max(nodes, math.Ceil(u.share()/full))
		}
	}
	for installations = 1; installations < 10000; installations++ {
		each := size{users / installations, max(2, math.Ceil(nodes/installations))}
		fits := true
		for _, u := range in.bill(each).resources {
			fits = fits && (!u.alone || u.share() <= full)
		}
		if fits {
			return installations, each.nodes * installations
		}
	}
	return installations, nodes
}
