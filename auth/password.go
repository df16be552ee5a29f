package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// MaxPassword is the maximum length of a password in bytes. It is checked before any hashing.
const MaxPassword = 1024

// Params are the cost parameters of argon2id (RFC 9106).
type Params struct {
	MemoryKiB uint32
	Time      uint32 // passes
	Threads   uint8
}

// DefaultParams returns OWASP's recommendation: 19 MiB, two passes, one thread.
func DefaultParams() Params { return Params{MemoryKiB: 19456, Time: 2, Threads: 1} }

// The range of the parameters, in the configuration and in stored hashes.
const (
	minMemoryKiB = 7168   // OWASP's minimum, with five passes
	maxMemoryKiB = 262144 // 256 MiB
	maxTime      = 10
	maxThreads   = 4
	saltSize     = 16 // bytes
	hashSize     = 32 // bytes
)

// Check returns an error if a parameter is out of range.
func (p Params) Check() error {
	if p.MemoryKiB < minMemoryKiB || p.MemoryKiB > maxMemoryKiB ||
		p.Time < 1 || p.Time > maxTime || p.Threads < 1 || p.Threads > maxThreads {
		return fmt.Errorf(
			"argon2id takes %d to %d KiB, 1 to %d passes and 1 to %d threads, not %d, %d and %d",
			minMemoryKiB, maxMemoryKiB, maxTime, maxThreads, p.MemoryKiB, p.Time, p.Threads)
	}
	return nil
}

// ErrHash means that a stored hash is not a PHC string of argon2id with parameters in range.
var ErrHash = errors.New("a stored password hash cannot be read")

// hasher hashes passwords with argon2id in a fixed number of slots, so that a storm of logins
// neither exhausts memory nor takes every core from verification. It is safe for concurrent use.
type hasher struct {
	params Params
	queue  hashQueue
	made   atomic.Int64 // hashes so far
	dummy  string       // a hash of no password, with the current parameters
}

// Slots returns how many hashes are computed at the same time: one less than there are cores, but
// at least one.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// Measure returns how long one hash takes now, the median of three.
func (p Params) Measure() time.Duration {
	durations := make([]time.Duration, 3)
	for i := range durations {
		started := time.Now()
		p.hash("password", make([]byte, saltSize), hashSize)
		durations[i] = time.Since(started)
	}
	slices.Sort(durations)
	return durations[len(durations)/2]
}

// newHasher returns a hasher with Slots slots.
func newHasher(params Params) (*hasher, error) {
	if err := params.Check(); err != nil {
		return nil, err
	}
	h := &hasher{params: params, queue: hashQueue{free: Slots()}}
	random := make([]byte, saltSize+hashSize)
	rand.Read(random) // cannot fail since Go 1.24
	h.dummy = phc(params, random[:saltSize], random[saltSize:])
	return h, nil
}

// hash waits for a slot and returns the PHC string of a password. Errors: ErrBusy.
func (h *hasher) hash(ctx context.Context, o origin, password string) (string, error) {
	var encoded string
	err := h.inSlot(ctx, o, func() error {
		salt := make([]byte, saltSize)
		rand.Read(salt) // cannot fail since Go 1.24
		h.made.Add(1)
		encoded = phc(h.params, salt, h.params.hash(password, salt, hashSize))
		return nil
	})
	return encoded, err
}

// verify waits for a slot and reports whether a password has a hash. An empty hash stands for an
// unknown account: it costs the same, and no password has it. Errors: ErrBusy, ErrHash.
func (h *hasher) verify(
	ctx context.Context, o origin, password, hash string,
) (right bool, err error) {
	err = h.inSlot(ctx, o, func() error {
		right, err = h.check(password, hash)
		return err
	})
	return right, err
}

// check is verify for a caller that has a slot.
func (h *hasher) check(password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	params, salt, want, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	h.made.Add(1)
	got := params.hash(password, salt, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

// outdated reports whether a hash was made with other parameters than the current ones.
func (h *hasher) outdated(hash string) bool {
	params, _, _, err := parsePHC(hash)
	return err == nil && params != h.params
}

// inSlot waits for a slot and does work in it. Errors: ErrBusy, and those of work.
func (h *hasher) inSlot(ctx context.Context, o origin, work func() error) error {
	if err := h.queue.enter(ctx, o); err != nil {
		return err
	}
	defer h.queue.leave()
	return work()
}

func (p Params) hash(password string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, size)
}

// phc returns the PHC string: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
func phc(p Params, salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.MemoryKiB, p.Time, p.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

// parsePHC parses the output of phc and rejects every other spelling of it. Errors: ErrHash.
func parsePHC(s string) (p Params, salt, hash []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || len(s) > 256 {
		return Params{}, nil, nil, ErrHash
	}
	_, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Time, &p.Threads)
	if err != nil {
		return Params{}, nil, nil, ErrHash
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errors.Join(saltErr, hashErr, p.Check()) != nil || len(salt) != saltSize ||
		len(hash) != hashSize || phc(p, salt, hash) != s {
		return Params{}, nil, nil, ErrHash
	}
	return p, salt, hash, nil
}
