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
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"latchkey/models"
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
	encodedSize  = 67 // characters of "$SALT$HASH" in a PHC string
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
	params Params // of new hashes
	queue  hashQueue
	made   atomic.Int64 // hashes so far
	onHash func(Params) // called before each hash, in tests; may be nil

	mu    sync.Mutex
	kinds []Params // of new and of stored hashes, each once
}

// Slots returns how many hashes are computed at the same time: one less than there are cores, but
// at least one.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// Measure returns how long one hash takes now, the median of three.
func (p Params) Measure() time.Duration {
	durations := make([]time.Duration, 3)
	for i := range durations {
		started := time.Now()
		p.hash("password", make([]byte, saltSize))
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
	return &hasher{params: params, queue: hashQueue{free: Slots()}, kinds: []Params{params}}, nil
}

// loadKinds reads which parameters the stored hashes have.
func (h *hasher) loadKinds(ctx context.Context, store *models.Store) error {
	sample := phc(h.params, make([]byte, saltSize), make([]byte, hashSize))
	suffix := sample[len(sample)-encodedSize:]
	beginnings, err := store.HashBeginnings(ctx, encodedSize)
	for _, beginning := range beginnings {
		// A login to an account with an unreadable hash is rejected with ErrHash.
		if params, _, _, err := parsePHC(beginning + suffix); err == nil {
			h.learn(params)
		}
	}
	return err
}

// learn adds the parameters of a stored hash, which another process may have made.
func (h *hasher) learn(params Params) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.kinds, params) {
		h.kinds = append(h.kinds, params)
	}
}

// otherKinds returns the parameters of new and of stored hashes, except one.
func (h *hasher) otherKinds(except Params) []Params {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.kinds), func(p Params) bool { return p == except })
}

// hash waits for a slot and returns the PHC string of a password. Errors: ErrBusy.
func (h *hasher) hash(ctx context.Context, o origin, password string) (string, error) {
	var encoded string
	err := h.inSlot(ctx, o, func() error {
		salt := make([]byte, saltSize)
		rand.Read(salt) // cannot fail since Go 1.24
		encoded = phc(h.params, salt, h.compute(h.params, password, salt))
		return nil
	})
	return encoded, err
}

// verify waits for a slot and reports whether a password is that of an account. Without a hash the
// account is unknown, and no password is right. Unless the login is accepted, it costs one hash of
// each kind, whichever the account has, so that its time does not reveal whether the account
// exists. Errors: ErrBusy, ErrHash.
func (h *hasher) verify(
	ctx context.Context, o origin, password string, c models.Credentials,
) (right bool, err error) {
	err = h.inSlot(ctx, o, func() error {
		right, err = h.check(password, c)
		return err
	})
	return right, err
}

// check is verify for a caller that has a slot.
func (h *hasher) check(password string, c models.Credentials) (right bool, err error) {
	var params Params // of the account's hash
	if c.PasswordHash != "" {
		var salt, want []byte
		if params, salt, want, err = parsePHC(c.PasswordHash); err != nil {
			return false, err
		}
		h.learn(params)
		right = subtle.ConstantTimeCompare(h.compute(params, password, salt), want) == 1
	}
	if !right || c.User.State != models.Active {
		for _, other := range h.otherKinds(params) {
			h.compute(other, password, make([]byte, saltSize))
		}
	}
	return right, nil
}

// compute computes a hash in the caller's slot.
func (h *hasher) compute(params Params, password string, salt []byte) []byte {
	h.made.Add(1)
	if h.onHash != nil {
		h.onHash(params)
	}
	return params.hash(password, salt)
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

func (p Params) hash(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, hashSize)
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
