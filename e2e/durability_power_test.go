//go:build torture

package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// powerCuts is how often TestTorturePower cuts the power.
const powerCuts = 200

// TestTorturePower cuts the power of a machine 200 times during registrations, logins, revocations
// and password changes. The server runs in user-mode-linux on an ext4 disk. Killing that machine
// loses everything it has not written to its disk. The next boot looks for all that was
// acknowledged since the last one; the final boot looks for everything.
func TestTorturePower(t *testing.T) {
	m := newMachine(t, "POWER_PROGRAM="+binary)
	kept := 0
	for cut := range powerCuts {
		kept += m.boot(t, 1+m.random.IntN(40), false)
		if t.Failed() {
			t.Fatalf("after %d cuts", cut)
		}
	}
	m.ledger = m.all
	everything := m.boot(t, 0, true)
	t.Logf("%d cuts, %d acknowledgements, %d found at the next boot, %d at the end, %d lost",
		powerCuts, len(m.all), kept, everything, m.lost)
	if m.lost > 0 || everything != len(m.all) || len(m.all) < powerCuts {
		t.Error("acknowledged changes are lost")
	}
}

// TestTorturePowerControl shows that the cuts lose data: with synchronous=NORMAL the same driver
// loses acknowledged rows in nearly every cut, with FULL in none.
func TestTorturePowerControl(t *testing.T) {
	const cuts = 20
	for mode, fits := range map[string]func(losing int) bool{
		"NORMAL": func(losing int) bool { return losing >= cuts*9/10 },
		"FULL":   func(losing int) bool { return losing == 0 },
	} {
		t.Run(mode, func(t *testing.T) {
			m := newMachine(t, "POWER_SYNCHRONOUS="+mode)
			losing, rows := 0, 0
			for range cuts + 1 {
				before := m.lost
				m.boot(t, 20+m.random.IntN(200), false)
				if m.lost > before {
					losing++
				}
				rows = len(m.all) - len(m.ledger)
			}
			t.Logf("%d cuts, %d of %d acknowledged rows lost, in %d of the cuts", cuts, m.lost, rows, losing)
			if !fits(losing) {
				t.Errorf("%d of %d cuts lost rows", losing, cuts)
			}
		})
	}
}

// machine is a virtual machine with its own disk. It sees the host's other files read-only.
type machine struct {
	dir         string
	environment []string
	ledger      []string // what was acknowledged since the last boot
	all         []string
	lost        int
	random      *rand.Rand
}

// newMachine creates a machine with an empty disk; environment configures its first program.
func newMachine(t *testing.T, environment ...string) *machine {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := &machine{dir: t.TempDir(), environment: environment, random: rand.New(rand.NewPCG(seed, 1))}
	for _, name := range []string{"dev", "disk", "tmp"} {
		must(t, os.Mkdir(filepath.Join(m.dir, name), 0o755))
	}
	build := exec.Command("go", "build", "-o", filepath.Join(m.dir, "init"), "./testdata/power")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	image := filepath.Join(m.dir, "image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 64<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	return m
}

// boot starts the machine, which looks for the entries of the ledger and then works. Shortly after
// the given number of acknowledgements boot cuts the power. The last boot does no work and shuts
// down. kept is how many entries were found.
func (m *machine) boot(t *testing.T, acknowledgements int, last bool) (kept int) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(m.dir, "ledger"), []byte(strings.Join(m.ledger, "\n")), 0o600))
	m.ledger = nil
	cmd, lines := m.start(t, last)
	log, audited := &strings.Builder{}, false
	expired := time.AfterFunc(2*time.Minute,
		func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer expired.Stop()
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		fmt.Fprintln(log, line)
		text, ours := strings.CutPrefix(line, "power: ")
		if !ours {
			continue
		}
		var lost int
		if _, err := fmt.Sscanf(text, "audited %d %d", &kept, &lost); err == nil {
			audited, m.lost = true, m.lost+lost
		}
		if entry, ok := strings.CutPrefix(text, "done "); ok {
			m.ledger = append(m.ledger, entry)
		}
		if audited && !last && len(m.ledger) == acknowledgements {
			time.Sleep(time.Duration(m.random.IntN(20)) * time.Millisecond) // a random moment
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	_ = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	m.all = append(m.all, m.ledger...)
	if !audited || len(m.ledger) < acknowledgements || strings.Contains(log.String(),
		"power: failed") {
		t.Fatalf("%d of %d acknowledgements: %s", len(m.ledger), acknowledgements, log)
	}
	return kept
}

// start starts the machine and returns its process, which leads a process group, and its output.
func (m *machine) start(t *testing.T, last bool) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	args := []string{"mem=192M", "ubd0=" + filepath.Join(m.dir, "image"), "rootfstype=hostfs",
		"rootflags=/", "ro",
		"init=" + filepath.Join(m.dir, "init"), "uml_dir=" + filepath.Join(m.dir, "tmp"),
		"con=null", "con0=null,fd:1", "quiet", "panic=1", "POWER_DIR=" + m.dir}
	if last {
		args = append(args, "POWER_LAST=1")
	}
	cmd := exec.Command("linux.uml", append(args, m.environment...)...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(m.dir, "tmp"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = io.Discard
	must(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return cmd, bufio.NewScanner(out)
}
