package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.5g, want %.5g within %g", what, got, want, share)
	}
}

// TestLoad: what can be reckoned by hand.
func TestLoad(t *testing.T) {
	in := newInputs()
	l := in.load(size{1e6, 10})
	near(t, "logins", l.logins, 1e6*0.2*1*3/86400, 1e-9)
	near(t, "ends", l.ends, 1e6*0.2*3.2*3/86400, 1e-9)
	near(t, "tokens", l.tokens, 1e6*(0.2*4*26.5/24+0.01*(1+24.5/(180*24))), 1e-9)
	near(t, "ended tokens", l.ended, 1e6*0.2*3.2*25.5/24, 1e-9)

	b, hundredfold := in.bill(size{1e6, 10}), in.bill(size{1e8, 10})
	near(t, "disk", hundredfold.of("disk").used, 100*b.of("disk").used, 1e-9)
	near(t, "lock", hundredfold.of("lock of ended tokens").share(), l.ends*100*(0.0008+4*0.0005), 1e-9)
	near(t, "hashing", hundredfold.of("hashing").share(), l.logins*100/(10*3*43), 1e-9)
	if b.of("connections").used != 110 {
		t.Errorf("connections: %v", b.of("connections"))
	}
}

// TestUses: the limits of how often a last use is stored.
func TestUses(t *testing.T) {
	in := newInputs()
	checks := in.load(size{1e6, 1}).checks
	near(t, "endless nodes: each request", in.uses(size{1e6, 1e9}), checks, 1e-6)
	in.flushEvery = 1e-3
	near(t, "no pause: each request", in.uses(size{1e6, 1}), checks, 1e-5)
	in.flushEvery = 100 * day
	near(t, "an endless pause: each token once, at each node", in.uses(size{1e6, 10}),
		0.2e6*10/in.flushEvery, 1e-6)
	in.sticky = 1
	near(t, "the same, one node each", in.uses(size{1e6, 10}), 0.2e6/in.flushEvery, 1e-6)
}

// TestMissed: with as many slots as users nothing is read, with half as many every second account.
func TestMissed(t *testing.T) {
	in := newInputs()
	for slots, want := range map[float64]float64{0.2e6: 0, 0.1e6: 0.5, 0: 1} {
		in.slots = slots
		s := size{1e6, 10}
		near(t, "share read", in.missed(s)/in.load(s).checks, want, 1e-9)
	}
}

// TestDivided: the parts are big enough, and one fewer would not be.
func TestDivided(t *testing.T) {
	for _, in := range []*inputs{newInputs(), first(changed())} {
		for _, users := range []float64{1e6, 1e8, 1e9} {
			parts, nodes := in.divided(users)
			b := in.bill(size{users / parts, nodes / parts})
			if b.resources[0].share() > full {
				t.Errorf("%g users in %g parts on %g nodes: %v", users, parts, nodes, b.resources[0])
			}
			if parts == 1 {
				continue
			}
			tight := false
			for _, u := range in.bill(size{users / (parts - 1), max(2, nodes/(parts-1))}).resources {
				tight = tight || u.alone && u.share() > full
			}
			if !tight {
				t.Errorf("%g users: %g parts would do", users, parts-1)
			}
		}
	}
}

func first(in *inputs, _ []string) *inputs { return in }

// quiet is a run in which only what a test sets costs time.
func quiet() fanout {
	return fanout{nodes: 50, rate: 5, poll: 0.5, trip: 1e-9, cores: 1, duration: 200, seed: 7}
}

// TestPollOnly: with no notification a node knows after half a pause on average, at the latest after
// a whole one, and the last of n after n/(n+1) of it.
func TestPollOnly(t *testing.T) {
	f := quiet()
	f.lost = 1
	o := f.simulate()
	near(t, "mean", mean(o.each), 0.25, 0.03)
	near(t, "the last", mean(o.last), 0.5*50/51, 0.01)
	near(t, "p99", quantile(o.each, 0.99), 0.495, 0.01)
	near(t, "readings", o.reads, 2, 0.01)
	if longest := quantile(o.each, 1); longest > 0.5001 {
		t.Errorf("the longest: %v", longest)
	}
	if len(o.each) != 50*len(o.last) || len(o.last) < 900 {
		t.Errorf("%d ends, %d in all", len(o.last), len(o.each))
	}
}

// TestLock: ends that come at random and hold the lock equally long wait as in an M/D/1 queue.
func TestLock(t *testing.T) {
	for _, busy := range []float64{0.3, 0.6, 0.85} {
		f := quiet()
		f.nodes, f.hold, f.duration = 1, 0.004, 300
		f.rate = busy / f.hold
		near(t, "mean wait and hold", mean(f.simulate().waited),
			f.hold+f.hold*busy/(2*(1-busy)), 0.05)
	}
}

// TestLost: a share p of the notifications is made up by the next one, or by the poll.
func TestLost(t *testing.T) {
	f := quiet()
	f.lost, f.rate = 0.1, 0.5
	late := 0.0
	o := f.simulate()
	for _, lag := range o.each {
		if lag > 0.001 {
			late++
		}
	}
	near(t, "late", late/float64(len(o.each)), 0.1, 0.05)
}

// TestOneAfterTheOther: one core notifies n nodes, so the last waits for n turns; the others, too, for
// what they ask comes after what was there before.
func TestOneAfterTheOther(t *testing.T) {
	f := quiet()
	f.rate, f.notify, f.poll = 0.1, 0.0001, 10
	o := f.simulate()
	near(t, "the last", quantile(o.last, 0.5), 50*0.0001, 0.01)
	near(t, "one", quantile(o.each, 0.5), 50*0.0001, 0.01)
	near(t, "busy", o.busy*f.duration, float64(len(o.last))*50*0.0001, 0.001)
}

// TestReadings: the model's readings a second are those of the simulation.
func TestReadings(t *testing.T) {
	in := newInputs()
	in.jitter, in.readWork = 0, 0
	for _, users := range []float64{1e6, 1e7, 1e8} {
		f := quiet()
		f.nodes, f.trip, f.poll, f.duration = 2, in.trip, 1e6, 30
		f.rate = in.load(size{users, 3}).ends
		near(t, "readings", f.simulate().reads, in.readings(size{users, 3}), 0.04)
		in.gap, f.gap = 0.05, 0.05
		near(t, "readings with a gap", f.simulate().reads, in.readings(size{users, 3}), 0.04)
		in.gap = 0
	}
}

// TestCutOff: a node that is cut off knows when it is back and is told the next time, and not before.
func TestCutOff(t *testing.T) {
	f := quiet()
	f.nodes, f.rate, f.poll, f.cuts, f.cut, f.duration = 20, 1, 1e6, 1e-3, 10, 4000
	o := f.simulate()
	if longest := quantile(o.each, 1); longest < 9 || longest > 25 {
		t.Errorf("the longest: %v", longest)
	}
	late := 0.0
	for _, lag := range o.each {
		if lag > 0.001 {
			late++
		}
	}
	near(t, "late", late/float64(len(o.each)), 10.0/1010, 0.25)
}

// TestRepeats: the same seed gives the same figures, another one others.
func TestRepeats(t *testing.T) {
	f := quiet()
	f.lost, f.jitter, f.duration = 0.5, 0.001, 20
	one, two := f.simulate(), f.simulate()
	f.seed++
	if a, b, c := mean(one.each), mean(two.each), mean(f.simulate().each); a != b || a == c {
		t.Errorf("%v, %v, another seed %v", a, b, c)
	}
}

// TestReport: the report names every input and every size.
func TestReport(t *testing.T) {
	in := newInputs()
	var b bytes.Buffer
	printInputs(&b, in)
	printSizes(&b, in)
	printPlans(&b, in)
	for _, e := range append(in.measured(), in.assumed()...) {
		if !strings.Contains(b.String(), e.what) {
			t.Errorf("%q is missing", e.what)
		}
		if *e.value != e.number*scale(e.unit) {
			t.Errorf("%q is %v", e.what, *e.value)
		}
	}
	for text, x := range map[string]float64{"0": 0, "0.087": 0.0871, "5.5": 5.5, "13": 13.4, "99": 99.4,
		"100": 99.96, "1,388,889": 1388888.9, "100,000": 1e5, "0.00067": 0.000671} {
		if short(x) != text {
			t.Errorf("%v: %s, want %s", x, short(x), text)
		}
	}
}
