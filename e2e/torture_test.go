//go:build torture

package e2e_test

import (
	"testing"
	"time"
)

// TestTortureKill is TestKill with a thousand kills.
func TestTortureKill(t *testing.T) { killRepeatedly(t, 1000) }

// TestTortureCrashPoints is TestCrashPoints at every write up to the 16th of a thread, with at
// least 500 kills.
func TestTortureCrashPoints(t *testing.T) { crashRepeatedly(t, crashPoints(16), 1, 500) }

// TestTortureDamage is TestDamage a thousand times.
func TestTortureDamage(t *testing.T) { damageRepeatedly(t, 60) }

// TestTortureRestart is TestRestart with a hundred restarts and half a million requests.
func TestTortureRestart(t *testing.T) { restartUnderLoad(t, 100, 5000) }

// TestTortureDiskFaults is TestDiskFaults at every point up to the 40th call of each kind.
func TestTortureDiskFaults(t *testing.T) { injectDiskFaults(t, diskFaults(40), 1) }

// TestTortureClockJumps is TestClockJumps in ten rounds, with a restart after every jump.
func TestTortureClockJumps(t *testing.T) { jumpUnderLoad(t, 10, 1) }

// TestTortureDiskFull is TestDiskFull fifty times.
func TestTortureDiskFull(t *testing.T) { fillRepeatedly(t, 50) }

// TestTortureDatabaseLocked is TestDatabaseLocked a hundred times.
func TestTortureDatabaseLocked(t *testing.T) { lockRepeatedly(t, 100) }

// TestTortureSyncedBeforeAnswered is TestSyncedBeforeAnswered with a thousand writes.
func TestTortureSyncedBeforeAnswered(t *testing.T) { syncedBeforeAnswered(t, 1000) }

// TestTortureNodesRevoke is TestNodesRevoke with 1,000 tokens, 100 disabled users and 100 changed
// roles.
func TestTortureNodesRevoke(t *testing.T) { revokeOnNodes(t, 1000, 10*time.Second) }

// TestTortureNodesPostgresRestarts is TestNodesPostgresRestarts fifty times.
func TestTortureNodesPostgresRestarts(t *testing.T) { postgresRestarts(t, 50) }

// TestTortureNodesFailover is TestNodesFailover twenty times.
func TestTortureNodesFailover(t *testing.T) { failOver(t, 20) }

// TestTortureRaces is TestRaces for a quarter of an hour.
func TestTortureRaces(t *testing.T) { raceFor(t, 15*time.Minute) }

// TestTortureUpgrade is TestUpgrade with a hundred upgrades.
func TestTortureUpgrade(t *testing.T) { upgradeUnderLoad(t, 100, 2000) }
