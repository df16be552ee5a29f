package main

import "fmt"

// inputs are the numbers that the model starts from, in seconds, bytes, or as their entry says.
type inputs struct {
	userBytes, tokenBytes, revocationBytes, revocationMemory, nodeMemory, hashMemory float64
	verifyRate, hashRate, startRevocation                                            float64
	loginWork, revokeWork, useWork, purgeWork, userWork, pollWork, readWork          float64
	notifyWork, commit, loginLog, revokeLog, useLog, connectionMemory                float64

	active, logins, renewals, revocations, requests, peak, serviceTokens float64
	lifetime, lifeLeft, keep, purgeEvery, flushEvery, serviceLife        float64
	poll, trip, jitter, statements, lanes, renewalRevokes                float64
	remembered, pool, pooled, sticky                                     float64

	nodeCores, nodeRAM, dbCores, dbRAM, disk, logRate, connections, dbNet, slack float64
	notifyWire, readWire, revocationWire                                         float64
}

// entry describes an input and names its source.
type entry struct {
	value  *float64
	number float64
	unit   string
	what   string
	source string
}

const (
	hour = 3600
	day  = 24 * hour
)

// scale returns the seconds or bytes of a unit.
func scale(unit string) float64 {
	switch unit {
	case "us":
		return 1e-6
	case "ms":
		return 1e-3
	case "h":
		return hour
	case "d":
		return day
	case "MiB":
		return 1 << 20
	case "GiB":
		return 1 << 30
	case "TB":
		return 1e12
	case "MB/s":
		return 1e6
	}
	return 1
}

// measured lists the inputs that were measured: see scale.md and reliability.md.
func (in *inputs) measured() []entry {
	const database, node = "measured: scale.md", "measured: reliability.md"
	return []entry{
		{&in.userBytes, 398, "B", "a user on disk, with indexes", database},
		{&in.tokenBytes, 295, "B", "a token on disk, with indexes", database},
		{&in.revocationBytes, 122, "B", "a revocation on disk, with indexes", database},
		{&in.revocationMemory, 57, "B", "a revocation in a node's memory", node},
		{&in.nodeMemory, 24, "MiB", "a node without revocations and hashes", node},
		{&in.hashMemory, 19, "MiB", "one hash", node},
		{&in.verifyRate, 5500, "/s", "verifications on one core, with HTTP and log", node},
		{&in.hashRate, 43, "/s", "hashes on one core", node},
		{&in.startRevocation, 1.6, "us", "a revocation read at the start (SQLite)", node},
		{&in.loginWork, 320, "us", "of a database core: a login without its hash", database},
		{&in.revokeWork, 500, "us", "of a database core: a revocation", database},
		{&in.useWork, 11, "us", "of a database core: a last use, 1,000 in a statement", database},
		{&in.purgeWork, 6, "us", "of a database core: purging a token", database},
		{&in.userWork, 25, "us", "of a database core: reading a user", database},
		{&in.pollWork, 22, "us", "of a database core: a poll that finds nothing", database},
		{&in.readWork, 42, "us", "of a database core: reading new revocations", database},
		{&in.notifyWork, 25, "us", "of a database core: a notification to one node", database},
		{&in.commit, 0.8, "ms", "a revocation under the lock with its commit, no network", database},
		{&in.loginLog, 10000, "B", "of log: a login, soon after a checkpoint", database},
		{&in.revokeLog, 12000, "B", "of log: a revocation, soon after a checkpoint", database},
		{&in.useLog, 2000, "B", "of log: a last use, soon after a checkpoint", database},
		{&in.connectionMemory, 1.8, "MiB", "a connection's own memory in the database", database},
	}
}

// assumed lists the inputs that were not measured. Another service has other ones.
func (in *inputs) assumed() []entry {
	const load, design = "assumed: load", "design"
	const network, machine = "assumed: network", "assumed: machine"
	return []entry{
		{&in.active, 0.2, "", "share of the users that are active on a day", load},
		{&in.logins, 1, "/day", "logins of an active user", load},
		{&in.renewals, 3, "/day", "renewals of an active user", load},
		{&in.revocations, 0.2, "/day", "other revocations of an active user", load},
		{&in.requests, 200, "/day", "requests of an active user", load},
		{&in.peak, 3, "", "the busiest hour over the mean", load},
		{&in.serviceTokens, 0.01, "", "service tokens for each user", load},
		{&in.lifeLeft, 1, "h", "lifetime left of a revoked token", load},
		{&in.sticky, 0, "", "1: the requests of a token go to one node; 0: to any", load},
		{&in.lifetime, 2, "h", "lifetime of a token", design},
		{&in.serviceLife, 180, "d", "lifetime of a service token", design},
		{&in.keep, 24, "h", "an expired token or revocation is kept so much longer", design},
		{&in.purgeEvery, 1, "h", "between two purges", design},
		{&in.flushEvery, 30, "s", "between two writes of last uses", design},
		{&in.poll, 0.5, "s", "between two polls of a node", design},
		{&in.renewalRevokes, 1, "", "1: a renewal revokes the old token; 0: that expires", design},
		{&in.statements, 4, "", "round trips under the lock, without the commit", design},
		{&in.lanes, 1, "", "sequences that number the revocations", design},
		{&in.remembered, 65536, "", "accounts that a node remembers", design},
		{&in.pool, 10, "", "connections of a node, without the listening one", design},
		{&in.pooled, 0, "", "connections of a pooler in place of the nodes'; 0: none", design},
		{&in.trip, 0.5, "ms", "from a node to the database and back", network},
		{&in.jitter, 0.1, "ms", "mean of the extra time of each way", network},
		{&in.notifyWire, 120, "B", "a notification, with headers", network},
		{&in.readWire, 400, "B", "a poll or read, both ways, with headers", network},
		{&in.revocationWire, 70, "B", "a revocation in a response", network},
		{&in.nodeCores, 4, "", "cores of a node; all but one hash", machine},
		{&in.nodeRAM, 8, "GiB", "memory of a node", machine},
		{&in.dbCores, 32, "", "cores of the database", machine},
		{&in.dbRAM, 256, "GiB", "memory of the database, half of it for connections", machine},
		{&in.disk, 4, "TB", "disk of the database", machine},
		{&in.slack, 1.5, "", "disk over rows: dead rows, half-full pages, the log", machine},
		{&in.logRate, 300, "MB/s", "log that the disk and a standby take", machine},
		{&in.connections, 2000, "", "connections that the database accepts", machine},
		{&in.dbNet, 1250, "MB/s", "the database's network: 10 Gbit/s", machine},
	}
}

// asDesigned returns the inputs of the design as it is.
func asDesigned() *inputs {
	in := &inputs{}
	for _, e := range append(in.measured(), in.assumed()...) {
		*e.value = e.number * scale(e.unit)
	}
	return in
}

// changed returns the inputs after the changes 2 to 5 of scale.md, and partitions.
func changed() *inputs {
	in := asDesigned()
	in.lanes, in.statements = 16, 1 // 2: fewer statements under the lock, then lanes
	in.revokeWork, in.revokeLog = 290*scale("us"), 7200
	in.poll, in.pollWork, in.notifyWork = 0.1, 40*scale("us"), 0 // 3: polls, no notifications
	in.sticky, in.flushEvery, in.remembered = 1, hour, 1<<20     // 4: one node for one token
	in.pooled = 200                                              // 5: PgBouncer
	in.loginWork, in.purgeWork = 450*scale("us"), 0              // partitions
	return in
}

// expiring returns the inputs after change 1, too: a renewal does not revoke the old token.
func expiring() *inputs {
	in := changed()
	in.renewalRevokes = 0
	return in
}

// String formats the input with its unit and source.
func (e entry) String() string {
	return fmt.Sprintf("%8s %-5s %-60s %s", short(*e.value/scale(e.unit)), e.unit, e.what, e.source)
}
