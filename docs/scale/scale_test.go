package main

import (
	"math"
	"os"
	"slices"
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

// TestTables: scale.md has the tables that the program prints.
func TestTables(t *testing.T) {
	text, err := os.ReadFile("../scale.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables() {
		if !strings.Contains(string(text), table) {
			t.Errorf("docs/scale.md lacks this table; take it from go run ./docs/scale:\n%s", table)
		}
	}
}

// TestPlan compares the model with what can be computed by hand.
func TestPlan(t *testing.T) {
	in := asDesigned()
	l := in.load(size{1e6, 10})
	near(t, "logins", l.logins, 1e6*0.2*1*3/86400, 1e-9)
	near(t, "revocations", l.revocations, 1e6*0.2*3.2*3/86400, 1e-9)
	near(t, "tokens", l.tokens, 1e6*(0.2*4*26.5/24+0.01*(1+24.5/(180*24))), 1e-9)
	near(t, "revoked tokens", l.revoked, 1e6*0.2*3.2*25.5/24, 1e-9)
	one, hundred := in.plan(size{1e6, 10}), in.plan(size{1e8, 10})
	near(t, "disk", hundred.of("disk").used, 100*one.of("disk").used, 1e-9)
	near(t, "lock", hundred.of("lock").share(), l.revocations*100*(0.0008+4*0.0005), 1e-9)
	near(t, "hashing", hundred.of("hashing").share(), l.logins*100/(10*3*43), 1e-9)
	near(t, "connections", one.of("connections").used, 110, 1e-9)
}

// TestUses checks the limits of how often a last use is written.
func TestUses(t *testing.T) {
	in := asDesigned()
	verified := in.load(size{1e6, 1}).verified
	near(t, "endless nodes: each request", in.uses(size{1e6, 1e9}), verified, 1e-6)
	in.flushEvery = 1e-3
	near(t, "no interval: each request", in.uses(size{1e6, 1}), verified, 1e-5)
	in.flushEvery = 100 * day
	near(t, "a long interval: each token once at each node", in.uses(size{1e6, 10}),
		0.2e6*10/in.flushEvery, 1e-6)
	in.sticky = 1
	near(t, "the same at one node", in.uses(size{1e6, 10}), 0.2e6/in.flushEvery, 1e-6)
}

// TestMisses: a node that remembers half of the accounts reads every second one.
func TestMisses(t *testing.T) {
	in := asDesigned()
	for remembered, want := range map[float64]float64{0.2e6: 0, 0.1e6: 0.5, 0: 1} {
		in.remembered = remembered
		s := size{1e6, 10}
		near(t, "share read", in.misses(s)/in.load(s).verified, want, 1e-9)
	}
}

// TestReads checks the limits of how often a node reads.
func TestReads(t *testing.T) {
	in := asDesigned()
	few, many := size{1e3, 10}, size{1e12, 10}
	near(t, "rare revocations: one read each", in.reads(few), in.load(few).revocations, 0.001)
	near(t, "many: one read after the other", in.reads(many), 1/(0.0005+2*0.0001+42e-6), 1e-6)
	in.notifyWork = 0
	near(t, "many, without notifications: each poll", in.reads(many), 1/in.poll, 1e-6)
}

// TestDivide: the parts are small enough, and one part fewer would not be.
func TestDivide(t *testing.T) {
	for _, in := range []*inputs{asDesigned(), changed(), expiring()} {
		for _, users := range []float64{1e6, 1e8, 1e9} {
			parts, nodes := in.divide(users)
			if p := in.plan(size{users / parts, nodes / parts}); p.resources[0].share() > full {
				t.Errorf("%g users in %g parts on %g nodes: %v", users, parts, nodes, p.resources[0])
			}
			larger := in.plan(size{users / (parts - 1), max(2, nodes/(parts-1))})
			if parts > 1 && !slices.ContainsFunc(larger.resources, use.overfull) {
				t.Errorf("%g users: %g parts would do", users, parts-1)
			}
		}
	}
}

func TestShort(t *testing.T) {
	for text, x := range map[string]float64{"0": 0, "0.087": 0.0871, "5.5": 5.5, "10": 9.96, "13": 13.4,
		"100": 99.96, "999": 999.4, "1,000": 999.6, "1,390,000": 1388888.9, "100,000": 1e5,
		"0.00067": 0.000671} {
		if short(x) != text {
			t.Errorf("%v: %s, want %s", x, short(x), text)
		}
	}
}
