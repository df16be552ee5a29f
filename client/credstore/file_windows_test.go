package credstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// setAccess gives a file the access control list of a security descriptor in SDDL.
func setAccess(t *testing.T, path, sddl string) {
	t.Helper()
	descriptor, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		t.Fatal(err)
	}
	acl, _, err := descriptor.DACL()
	if err != nil {
		t.Fatal(err)
	}
	err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION,
		nil, nil, acl, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// TestAccessList: a file that other users can read is rejected until WriteFile has replaced it.
func TestAccessList(t *testing.T) {
	user, err := currentUser()
	if err != nil {
		t.Fatal(err)
	}
	me := "(A;;FA;;;" + user.String() + ")"
	for _, test := range []struct {
		name, sddl string
		private    bool
	}{
		{"the user", "D:P" + me, true},
		{"the system and administrators too", "D:P" + me + "(A;;FA;;;SY)(A;;FA;;;BA)", true},
		{"everybody", "D:P" + me + "(A;;FR;;;WD)", false},
		{"all users", "D:P" + me + "(A;;FR;;;BU)", false},
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
		setAccess(t, path, test.sddl)
		_, err := New(path).Logins()
		if (err == nil) != test.private || err != nil && (!errors.Is(err, ErrFile) ||
			!strings.Contains(err.Error(), "icacls")) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err := WriteFile(path, []byte("[]")); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if _, err := New(path).Logins(); err != nil {
			t.Errorf("%s, written again: %v", test.name, err)
		}
	}
}

// TestReplaceWaits: a program that has the file open delays its replacement but does not fail it.
func TestReplaceWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = f.Close() })
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}
