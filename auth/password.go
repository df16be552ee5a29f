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
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"latchkey/models"
)

// MaxPassword is the longest secret in bytes; it is checked before any hashing.
const MaxPassword = 1024

// Params are the cost parameters of argon2id (RFC 9106).
type Params struct {
	MemoryKiB uint32
	Time      uint32 // passes
	Threads   uint8
}

// DefaultParams are OWASP's first choice: 19 MiB, two passes, one thread.
func DefaultParams() Params { return Params{MemoryKiB: 19456, Time: 2, Threads: 1} }

// Bounds on the parameters, for the configuration and for what is read back from the store alike.
const (
	minMemoryKiB = 7168   // OWASP's smallest, with five passes
	maxMemoryKiB = 262144 // 256 MiB
	maxTime      = 10
	maxThreads   = 4
	saltSize     = 16 // bytes
	hashSize     = 32 // bytes
)

// Check refuses parameters outside the bounds.
func (p Params) Check() error {
	if p.MemoryKiB < minMemoryKiB || p.MemoryKiB > maxMemoryKiB ||
		p.Time < 1 || p.Time > maxTime || p.Threads < 1 || p.Threads > maxThreads {
		return fmt.Errorf(
			"argon2id takes %d to %d KiB, 1 to %d passes and 1 to %d threads, not %d, %d and %d",
			minMemoryKiB,
			maxMemoryKiB,
			maxTime,
			maxThreads,
			p.MemoryKiB,
			p.Time,
			p.Threads,
		)
	}
	return nil
}

// ErrHash says that a stored hash is no PHC string of argon2id within the bounds: a fault, not a
// wrong secret.
var ErrHash = errors.New("stored secret hash cannot be read")

// hasher hashes secrets with argon2id in a fixed number of slots, so that a storm of logins can
// neither eat the memory nor take every core from verification. It is safe for concurrent use.
type hasher struct {
	params Params
	queue  hashQueue
	made   atomic.Int64 // hashes
	dummy  string       // a hash no secret has, of the current cost
}

// Slots is how many hashes are made at once: one less than there are cores, at least one.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// Measure is how long one hash takes here and now, the median of three.
func (p Params) Measure() time.Duration {
	took := make([]time.Duration, 3)
	for i := range took {
		started := time.Now()
		p.hash("secret", make([]byte, saltSize), hashSize)
		took[i] = time.Since(started)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// newHasher makes a hasher with as many slots as Slots says.
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

// hash returns the PHC string of a secret, in a turn of whom it is for. Errors: ErrBusy.
func (h *hasher) hash(ctx context.Context, o origin, secret string) (string, error) {
	var encoded string
	err := h.inSlot(ctx, o, func() error {
		salt := make([]byte, saltSize)
		rand.Read(salt) // cannot fail since Go 1.24
		h.made.Add(1)
		encoded = phc(h.params, salt, h.params.hash(secret, salt, hashSize))
		return nil
	})
	return encoded, err
}

// verify says whether a secret has a hash, in a turn of whom it is for. An empty hash stands for
// an unknown account: it costs the same and is never right. Errors: ErrBusy, ErrHash.
func (h *hasher) verify(
	ctx context.Context, o origin, secret, hash string,
) (right bool, err error) {
	err = h.inSlot(ctx, o, func() error {
		right, err = h.check(secret, hash)
		return err
	})
	return right, err
}

// check is verify by a caller that has a slot already.
func (h *hasher) check(secret, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	params, salt, want, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	h.made.Add(1)
	got := params.hash(secret, salt, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

// outdated says whether a hash was made with other parameters than new ones are.
func (h *hasher) outdated(hash string) bool {
	params, _, _, err := parsePHC(hash)
	return err == nil && params != h.params
}

// inSlot does work in a slot. Errors: ErrBusy, and the work's.
func (h *hasher) inSlot(ctx context.Context, o origin, work func() error) error {
	if err := h.queue.enter(ctx, o); err != nil {
		return err
	}
	defer h.queue.leave()
	return work()
}

func (p Params) hash(secret string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(secret), salt, p.Time, p.MemoryKiB, p.Threads, size)
}

// phc writes the PHC string: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
func phc(p Params, salt, hash []byte) string {
	return fmt.Sprintf(
		"$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version,
		p.MemoryKiB,
		p.Time,
		p.Threads,
		base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(hash),
	)
}

// parsePHC reads what phc writes, and only that: whatever parses is its own re-encoding.
func parsePHC(s string) (p Params, salt, hash []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || len(s) > 256 {
		return Params{}, nil, nil, ErrHash
	}
	if _, err := fmt.Sscanf(
		parts[3],
		"m=%d,t=%d,p=%d",
		&p.MemoryKiB,
		&p.Time,
		&p.Threads,
	); err != nil {
		return Params{}, nil, nil, ErrHash
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errors.Join(saltErr, hashErr, p.Check()) != nil || len(salt) != saltSize ||
		len(hash) != hashSize ||
		phc(p, salt, hash) != s {
		return Params{}, nil, nil, ErrHash
	}
	return p, salt, hash, nil
}

const msgPasswordLong = "At most %d bytes." //nolint:gosec // a sentence

// CheckPassword notes in v, under the name of its field, what is wrong with a new secret: fewer than
// least characters, over MaxPassword bytes, or no Unicode text. Everything else is allowed, exactly
// as typed.
func CheckPassword(v models.ValidationError, field, secret string, least int) {
	switch {
	case v.Has(field):
	case secret == "":
		v.Require(field)
	case !utf8.ValidString(secret) || strings.ContainsRune(secret, utf8.RuneError):
		v.Add(field, "The secret is not valid Unicode text.")
	case utf8.RuneCountInString(secret) < least:
		v.Add(field, fmt.Sprintf("At least %d characters.", least))
	case len(secret) > MaxPassword:
		v.Add(field, fmt.Sprintf(msgPasswordLong, MaxPassword))
	}
}
