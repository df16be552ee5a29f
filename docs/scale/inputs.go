package main

import "fmt"

// inputs is what the model reckons with: seconds, bytes, or as its entry says.
type inputs struct {
	userBytes, tokenBytes, endingBytes, endingMemory, nodeMemory, hashMemory float64
	verifyRate, loginRate, startEnding                                       float64
	loginWork, endWork, useWork, purgeWork, userWork, pollWork, readWork     float64
	notifyWork, commit, loginLog, endLog, useLog                             float64
	connectionMemory                                                         float64

	active, logins, renewals, ends, verifications, peak, serviceTokens float64
	lifetime, lifeLeft, forget, purgeEvery, flushEvery, serviceLife    float64
	poll, trip, jitter, gap, statements, lanes, renewalEnds            float64
	slots, pool, sticky                                                float64

	nodeCores, nodeRAM, dbCores, dbRAM, disk, logRate, connections, dbNet, slack float64
	notifyWire, readWire, endWire                                                float64
}

// entry says what an input is and where it comes from.
type entry struct {
	value  *float64
	number float64
	unit   string
	what   string
	from   string
}

const (
	hour = 3600
	day  = 24 * hour
)

// scale is how many seconds or bytes a unit is.
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

// measured are the inputs that were measured, on the machine of reliability.md.
func (in *inputs) measured() []entry {
	const here, there = "measure.sh", "reliability.md"
	return []entry{
		{&in.userBytes, 398, "B", "a user on disk, with its indexes", here},
		{&in.tokenBytes, 295, "B", "a token on disk, with its indexes", here},
		{&in.endingBytes, 122, "B", "an ended token on disk, with its indexes", here},
		{&in.endingMemory, 57, "B", "an ended token in a node's memory", there},
		{&in.nodeMemory, 24, "MiB", "a node's memory without ended tokens and hashes", there},
		{&in.hashMemory, 19, "MiB", "memory of one hash under way", there},
		{&in.verifyRate, 5500, "/s", "verifications of one core, HTTP and log included", there},
		{&in.loginRate, 43, "/s", "hashes of one core", there},
		{&in.startEnding, 1.6, "us", "a start's reading of one ended token (SQLite)", there},
		{&in.loginWork, 320, "us", "of a database core: a login, without its hash", here},
		{&in.endWork, 500, "us", "of a database core: the end of a token", here},
		{&in.useWork, 11, "us", "of a database core: a last use, 1,000 in a statement", here},
		{&in.purgeWork, 6, "us", "of a database core: clearing one token away", here},
		{&in.userWork, 25, "us", "of a database core: reading a user", here},
		{&in.pollWork, 22, "us", "of a database core: a poll that finds nothing", here},
		{&in.readWork, 42, "us", "of a database core: reading what ended", here},
		{&in.notifyWork, 25, "us", "of a database core: one notification to one node", here},
		{&in.commit, 0.8, "ms", "an end under the lock, its commit included, no network", here},
		{&in.loginLog, 10000, "B", "of log for a login, soon after a checkpoint", here},
		{&in.endLog, 12000, "B", "of log for the end of a token, soon after a checkpoint", here},
		{&in.useLog, 2000, "B", "of log for a last use, soon after a checkpoint", here},
		{&in.connectionMemory, 1.8, "MiB", "a connection's own memory in the database", here},
	}
}

// assumed are the inputs that nobody measured: another service has others.
func (in *inputs) assumed() []entry {
	const load, settings = "assumed: load", "design"
	const network, machine = "assumed: network", "assumed: machine"
	return []entry{
		{&in.active, 0.2, "", "share of the users that are active on a day", load},
		{&in.logins, 1, "/day", "logins of an active user", load},
		{&in.renewals, 3, "/day", "renewals of an active user", load},
		{&in.ends, 0.2, "/day", "other ends of tokens of an active user", load},
		{&in.verifications, 200, "/day", "requests of an active user", load},
		{&in.peak, 3, "", "the busiest hour over the mean", load},
		{&in.serviceTokens, 0.01, "", "tokens of services for each user", load},
		{&in.lifeLeft, 1, "h", "life that an ended token had left", load},
		{&in.sticky, 0, "", "1: all requests of a token go to one node; 0: to any", load},
		{&in.lifetime, 2, "h", "life of a token", settings},
		{&in.serviceLife, 180, "d", "life of a service's token", settings},
		{&in.forget, 24, "h", "an expired or ended token is kept so much longer", settings},
		{&in.purgeEvery, 1, "h", "between two purges", settings},
		{&in.flushEvery, 30, "s", "between two flushes of last uses", settings},
		{&in.poll, 0.5, "s", "between two polls of a node", settings},
		{&in.gap, 0, "s", "a node reads no sooner after its last reading", settings},
		{&in.renewalEnds, 1, "", "1: a renewal ends the token before it; 0: that expires", settings},
		{&in.statements, 4, "", "round trips under the lock, besides the commit", settings},
		{&in.lanes, 1, "", "sequences that ended tokens are spread over", settings},
		{&in.slots, 65536, "", "accounts that a node remembers", settings},
		{&in.pool, 10, "", "connections of a node, besides the one that listens", settings},
		{&in.trip, 0.5, "ms", "from a node to the database and back", network},
		{&in.jitter, 0.1, "ms", "mean of what each way takes longer", network},
		{&in.notifyWire, 120, "B", "a notification, headers included", network},
		{&in.readWire, 400, "B", "a poll or a reading, both ways, headers included", network},
		{&in.endWire, 70, "B", "an ended token in an answer", network},
		{&in.nodeCores, 4, "", "cores of a node; one fewer hash", machine},
		{&in.nodeRAM, 8, "GiB", "memory of a node", machine},
		{&in.dbCores, 32, "", "cores of the database", machine},
		{&in.dbRAM, 256, "GiB", "memory of the database, half of it for connections", machine},
		{&in.disk, 4, "TB", "disk of the database", machine},
		{&in.slack, 1.5, "", "disk over rows: dead rows, half-full pages, the log", machine},
		{&in.logRate, 300, "MB/s", "log that the disk and a standby take", machine},
		{&in.connections, 2000, "", "connections that the database is given", machine},
		{&in.dbNet, 1250, "MB/s", "the database's network: 10 Gbit/s", machine},
	}
}

// newInputs are the inputs of the design as it is.
func newInputs() *inputs {
	in := &inputs{}
	for _, e := range append(in.measured(), in.assumed()...) {
		*e.value = e.number * scale(e.unit)
	}
	return in
}

// changed are the inputs after what scale.md advises has been done, and what that is.
func changed() (in *inputs, what []string) {
	in = newInputs()
	in.sticky, in.flushEvery = 1, 1*hour
	in.slots = 1 << 20
	in.lanes, in.statements, in.notifyWork = 16, 1, 0
	in.loginWork, in.endWork, in.endLog = 450*scale("us"), 290*scale("us"), 7200
	in.poll, in.pollWork = 0.1, 40*scale("us")
	in.purgeWork = 0
	in.pool = 0
	return in, []string{
		"requests of a token go to one node (a hash of Authorization in the balancer)",
		"a token's last use is stored once an hour",
		"a node remembers 1,048,576 accounts in place of 65,536",
		"ended tokens in 16 lanes of one row each, one statement under the lock",
		"no NOTIFY: every node polls every 100 ms",
		"tokens in partitions: what is old goes with its table",
		"PgBouncer: 200 connections to the database, however many nodes",
	}
}

// pooled is how many connections PgBouncer holds to the database.
const pooled = 200

func (e entry) String() string {
	return fmt.Sprintf("  %8s %-5s %-62s %s", short(*e.value/scale(e.unit)), e.unit, e.what, e.from)
}
