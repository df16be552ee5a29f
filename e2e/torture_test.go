//go:build torture

package e2e_test

import "testing"

// TestTortureKill is TestKill with a thousand kills.
func TestTortureKill(t *testing.T) { killRepeatedly(t, 1000) }
