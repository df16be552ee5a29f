package credstore

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// checkPrivate rejects an open file whose access control list lets other users in. File modes say
// nothing about that on Windows.
func checkPrivate(f *os.File) error {
	acl, err := accessList(f)
	if err != nil {
		return err
	}
	user, err := currentUser()
	if err != nil {
		return err
	}
	private := acl != nil // without a list, everyone has access
	for i := range aceCount(acl) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(acl, uint32(i), &ace); err != nil {
			return err
		}
		private = private && isPrivate(ace, user)
	}
	if !private {
		return fmt.Errorf("others than its owner can read %s: run icacls \"%s\" /inheritance:r "+
			"/grant:r \"%%USERNAME%%:F\"", f.Name(), f.Name())
	}
	return nil
}

func accessList(f *os.File) (*windows.ACL, error) {
	descriptor, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	acl, _, err := descriptor.DACL()
	return acl, err
}

func aceCount(acl *windows.ACL) uint16 {
	if acl == nil {
		return 0
	}
	return acl.AceCount
}

func currentUser() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	return user.User.Sid, nil
}

// isPrivate reports whether an entry of an access control list lets nobody in but the user, the
// system and its administrators, who can read every file anyway. Entries of rare kinds do not
// count as private.
func isPrivate(ace *windows.ACCESS_ALLOWED_ACE, user *windows.SID) bool {
	if ace.Header.AceType == windows.ACCESS_DENIED_ACE_TYPE {
		return true
	}
	sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart)) // where the list holds it
	return ace.Header.AceType == windows.ACCESS_ALLOWED_ACE_TYPE &&
		(sid.Equals(user) || sid.IsWellKnown(windows.WinLocalSystemSid) ||
			sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
			sid.IsWellKnown(windows.WinCreatorOwnerRightsSid))
}

// makePrivate lets only the user have access to a file, whatever its folder lets its files inherit.
func makePrivate(f *os.File) error {
	user, err := currentUser()
	if err != nil {
		return err
	}
	descriptor, err := windows.SecurityDescriptorFromString("D:P(A;;FA;;;" + user.String() + ")")
	if err != nil {
		return err
	}
	acl, _, err := descriptor.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(f.Name(), windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION,
		nil, nil, acl, nil)
}

// replace renames a file and returns once the disk has the new name. For up to two seconds it waits
// for other programs, such as virus scanners, to close the old file.
func replace(from, to string) error {
	oldName, err1 := windows.UTF16PtrFromString(from)
	newName, err2 := windows.UTF16PtrFromString(to)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := windows.MoveFileEx(oldName, newName,
			windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
		busy := errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
			errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !busy || time.Now().After(deadline) {
			return err
		}
	}
}
