// The init program of a virtual machine whose power is cut. It mounts the disk, looks for
// everything that was acknowledged before the last cut, and then writes until the machine is
// killed. It reports to the test in lines on the console. Its environment comes from the kernel's
// command line.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// workload writes to a mounted disk.
type workload interface {
	open(disk string) error
	missing(entry string) string // why an entry of the ledger is lost, or ""
	work(writer int, note func(entry string)) error
	close() error
}

func main() {
	if err := run(os.Getenv("POWER_DIR")); err != nil {
		say("failed: %v", err)
	}
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

var console sync.Mutex

// say writes one line to the console.
func say(format string, args ...any) {
	console.Lock()
	defer console.Unlock()
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	_, _ = os.Stdout.WriteString("\npower: " + line + "\n")
}

// run mounts the disk, audits it and works until the power is cut.
func run(dir string) error {
	disk := filepath.Join(dir, "disk")
	if err := prepare(dir, disk); err != nil {
		return err
	}
	var load workload = &server{program: os.Getenv("POWER_PROGRAM")}
	if mode := os.Getenv("POWER_SYNCHRONOUS"); mode != "" {
		load = &rows{synchronous: mode}
	}
	if err := load.open(disk); err != nil {
		return err
	}
	if err := audit(filepath.Join(dir, "ledger"), load); err != nil {
		return err
	}
	if os.Getenv("POWER_LAST") != "" {
		if err := load.close(); err != nil {
			return err
		}
		return syscall.Unmount(disk, 0)
	}
	var wait sync.WaitGroup
	for writer := range 3 {
		wait.Go(func() {
			for {
				if err := load.work(writer, func(entry string) { say("done %s", entry) }); err != nil {
					say("failed: %v", err)
					return
				}
			}
		})
	}
	wait.Wait()
	return nil
}

// prepare mounts the disk, which replays its journal, and brings up the loopback interface.
func prepare(dir, disk string) error {
	dev := filepath.Join(dir, "dev")
	if err := syscall.Mount("dev", dev, "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("devtmpfs: %w", err)
	}
	if err := syscall.Mount(filepath.Join(dev, "ubda"), disk, "ext4", 0, ""); err != nil {
		return fmt.Errorf("the disk: %w", err)
	}
	if err := os.Setenv("TMPDIR", disk); err != nil {
		return err
	}
	return loopback()
}

// audit compares the disk with the ledger.
func audit(path string, load workload) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	kept, lost := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if why := load.missing(lines.Text()); why != "" {
			say("lost %s: %s", lines.Text(), why)
			lost++
		} else {
			kept++
		}
	}
	say("audited %d %d", kept, lost)
	return nil
}

// loopback brings up the interface lo.
func loopback() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var request [40]byte // struct ifreq: the name, then the flags
	copy(request[:], "lo")
	binary.NativeEndian.PutUint16(request[16:], syscall.IFF_UP|syscall.IFF_RUNNING)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS,
		uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("lo: %w", errno)
	}
	return nil
}
