package main

import (
	"cmp"
	"math"
	"slices"
)

// size is what a plan is made for.
type size struct{ users, nodes float64 }

// load is what the users ask for in the busiest hour, and what is stored for them.
type load struct {
	active, tokens, revoked                 float64 // users of a day; rows of tokens and revocations
	logins, renewals, revocations, verified float64 // a second; revocations with those by renewals
	writes                                  float64 // transactions a second, of all of these
}

func (in *inputs) load(s size) load {
	l := load{active: s.users * in.active}
	busy := l.active * in.peak / day
	l.logins, l.renewals, l.verified = busy*in.logins, busy*in.renewals, busy*in.requests
	l.revocations = busy * (in.renewals*in.renewalRevokes + in.revocations)
	l.writes = l.logins + l.renewals + busy*in.revocations
	kept := in.keep + in.purgeEvery/2
	l.tokens = (l.logins+l.renewals)/in.peak*(in.lifetime+kept) +
		s.users*in.serviceTokens*(1+kept/in.serviceLife)
	l.revoked = l.revocations / in.peak * (in.lifeLeft + kept)
	return l
}

// spread returns over how many nodes the requests of one token are spread.
func (in *inputs) spread(s size) float64 {
	if in.sticky == 1 {
		return 1
	}
	return s.nodes
}

// uses returns the last uses that all nodes write in a second: one for each token, node and
// interval in which the token came to the node, if requests come at random.
func (in *inputs) uses(s size) float64 {
	l, places := in.load(s), in.spread(s)
	each := l.verified / l.active / places * in.flushEvery // requests of a token at a node
	return l.active * places * -math.Expm1(-each) / in.flushEvery
}

// misses returns the requests a second whose account the node does not remember. If k users share
// a slot and ask equally often, the next one is the last one again one time in k.
func (in *inputs) misses(s size) float64 {
	l := in.load(s)
	here := l.active * in.spread(s) / s.nodes
	return l.verified * (1 - min(1, in.remembered/max(1, here)))
}

// reads returns the reads of one node in a second that find revocations. With notifications a node
// reads at once, but one read at a time. A read takes t, and no notification comes during one with
// the probability e^(-rate*t). Without notifications it is the polls that find something.
func (in *inputs) reads(s size) float64 {
	rate := in.load(s).revocations
	if in.notifyWork == 0 {
		return -math.Expm1(-rate*in.poll) / in.poll
	}
	t := in.trip + 2*in.jitter + in.readWork
	return 1 / (t + math.Exp(-rate*t)/rate)
}

// held returns how long a revocation keeps its sequence locked.
func (in *inputs) held() float64 { return in.commit + in.statements*in.trip }

// use is how much of a resource is used.
type use struct {
	what            string
	used, available float64
	byNodes         bool // more nodes help; otherwise only separate installations do
}

func (u use) share() float64 { return u.used / u.available }

// plan is what a size needs.
type plan struct {
	size
	load
	uses, misses, reads    float64 // a second, of all nodes
	resources              []use   // the most used first
	start                  float64 // seconds in which a node reads all revocations
	hashCores, verifyCores float64 // of all nodes
}

func (in *inputs) plan(s size) plan {
	p := plan{size: s, load: in.load(s), uses: in.uses(s), misses: in.misses(s)}
	p.reads = s.nodes * (in.reads(s) + 1/in.poll)
	p.writes += s.nodes / in.flushEvery
	p.start = p.revoked * in.startRevocation
	p.hashCores, p.verifyCores = p.logins/in.hashRate, p.verified/in.verifyRate
	p.resources = append(in.nodeUse(p), in.databaseUse(p)...)
	slices.SortStableFunc(p.resources, func(x, y use) int { return cmp.Compare(y.share(), x.share()) })
	return p
}

func (in *inputs) nodeUse(p plan) []use {
	const accountBytes = 100 // of a remembered account
	hashing := in.nodeCores - 1
	memory := in.nodeMemory + p.revoked*in.revocationMemory + hashing*in.hashMemory +
		in.remembered*accountBytes
	return []use{
		{"hashing", p.hashCores, p.nodes * hashing, true},
		{"node cores", p.hashCores + p.verifyCores, p.nodes * in.nodeCores, true},
		{"node memory", memory, in.nodeRAM, false},
	}
}

func (in *inputs) databaseUse(p plan) []use {
	issued, notified := p.logins+p.renewals, p.revocations
	if in.notifyWork == 0 {
		notified = 0
	}
	work := issued*in.loginWork + p.revocations*in.revokeWork + p.uses*in.useWork +
		issued/in.peak*in.purgeWork + p.misses*in.userWork + p.nodes/in.poll*in.pollWork +
		p.nodes*in.reads(p.size)*in.readWork + p.nodes*notified*in.notifyWork
	rows := p.users*in.userBytes + p.tokens*in.tokenBytes + p.revoked*in.revocationBytes
	connections := cmp.Or(in.pooled, p.nodes*(in.pool+1))
	network := p.nodes*notified*in.notifyWire + p.reads*in.readWire +
		p.nodes*p.revocations*in.revocationWire +
		((issued+p.revocations)*6+p.uses+p.misses)*in.readWire
	return []use{
		{"database cores", work, in.dbCores, false},
		{"lock", p.revocations * in.held(), in.lanes, false},
		{"disk", rows * in.slack, in.disk, false},
		{"log", issued*in.loginLog + p.revocations*in.revokeLog + p.uses*in.useLog, in.logRate, false},
		{"connections", connections, in.connections, false},
		{"connections' memory", connections * in.connectionMemory, in.dbRAM / 2, false},
		{"network", network, in.dbNet, false},
	}
}

// of returns a resource by its name.
func (p plan) of(what string) use {
	return p.resources[slices.IndexFunc(p.resources, func(u use) bool { return u.what == what })]
}

// full is the largest share of a resource that a plan should use.
const full = 0.7

// divide returns the smallest number of separate installations, each with its part of the users and
// nodes, that use no more than full of their database and node memory, and the nodes that all of
// them need for hashing and verifying.
func (in *inputs) divide(users float64) (installations, nodes float64) {
	nodes = 1
	for _, u := range in.plan(size{users, 1}).resources {
		if u.byNodes {
			nodes = max(nodes, math.Ceil(u.share()/full))
		}
	}
	for installations = 1; ; installations++ {
		each := size{users / installations, max(2, math.Ceil(nodes/installations))}
		if !slices.ContainsFunc(in.plan(each).resources, use.overfull) {
			return installations, each.nodes * installations
		}
	}
}

func (u use) overfull() bool { return !u.byNodes && u.share() > full }
