//go:build !client && !windows

package commands

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"latchkey/auth"
	"latchkey/models"
)

// storeFlags name a data directory or a database.
type storeFlags struct {
	Data       string `default:"./latchkey-data" placeholder:"DIR" help:"Data directory."`
	Database   string `placeholder:"URL" help:"PostgreSQL database, postgres://… (default: SQLite in DIR)."`
	SecretFile string `placeholder:"FILE" help:"Master key that seals the signing keys (default: DIR/secret)."`

	DatabaseConnections int `default:"10" placeholder:"N" help:"Maximum of connections to PostgreSQL."`
}

// Validate checks what can be checked without touching a file or a socket.
func (f *storeFlags) Validate() error {
	if f.DatabaseConnections < 1 {
		return errors.New("--database-connections is at least 1")
	}
	if f.Data == "" {
		return errors.New("--data is the path of a directory, not empty")
	}
	if f.Database == "" {
		return nil
	}
	if err := models.CheckAddress(f.Database); err != nil {
		return fmt.Errorf("--database: %w", err)
	}
	return nil
}

// masterKeyFile is the path of the master key.
func (f *storeFlags) masterKeyFile() string {
	if f.SecretFile != "" {
		return f.SecretFile
	}
	return filepath.Join(f.Data, "secret")
}

// configFlags are storeFlags and the rules that a server and its commands share.
type configFlags struct {
	storeFlags

	TokenTTL    time.Duration `default:"2h" help:"Lifetime of a token from a login."`
	MaxTokenTTL time.Duration `default:"180d" help:"Maximum lifetime of a service token."`
	MaxSession  time.Duration `default:"30d" help:"How long after a login its token can be renewed."`
	MaxTokens   int           `default:"100" placeholder:"N" help:"Maximum of valid tokens of an account; at it, a login revokes the oldest."`

	MinSecret      int `default:"6" placeholder:"N" help:"Minimum length of a new password, in characters."`
	SecretStrength int `default:"0" placeholder:"0-4" help:"Minimum strength of a new password; 3 is good."`

	AccountTries int `default:"10" placeholder:"N" help:"Failed logins a day to one account from one network that cost no wait."`
	NetworkTries int `default:"100" placeholder:"N" help:"Failed logins an hour from one network that cost no wait, and registrations."`

	RevocationLag time.Duration `default:"60s" help:"How long to accept tokens while the store cannot be read."`
	KeyRotation   time.Duration `default:"90d" help:"How long a key signs before it is replaced; 0 turns rotation off."`

	Argon2 hashingFlags `embed:"" prefix:"argon2-"`
}

// hashingFlags are the cost of a password hash, argon2id (RFC 9106).
type hashingFlags struct {
	Memory  uint32 `default:"19456" placeholder:"KIB" help:"Memory of a password hash, in KiB."`
	Time    uint32 `default:"2" placeholder:"N" help:"Passes of a password hash."`
	Threads uint8  `default:"1" placeholder:"N" help:"Threads of a password hash."`
}

func (f hashingFlags) params() auth.Params {
	return auth.Params{MemoryKiB: f.Memory, Time: f.Time, Threads: f.Threads}
}

func (f hashingFlags) validate() error {
	if err := f.params().Check(); err != nil {
		return fmt.Errorf("--argon2-memory, --argon2-time, --argon2-threads: %w", err)
	}
	return nil
}

// Validate checks what can be checked without touching a file or a socket.
func (f *configFlags) Validate() error { return f.validate(auth.Options{}) }

// validate is Validate with the options that only one command sets.
func (f *configFlags) validate(own auth.Options) error {
	if err := f.storeFlags.Validate(); err != nil {
		return err
	}
	if f.TokenTTL < time.Second || f.MaxTokenTTL < time.Second || f.MaxSession < time.Second {
		return errors.New("--token-ttl, --max-token-ttl and --max-session are at least 1s")
	}
	if f.MaxTokens < 2 || f.MaxTokens > models.MaxLiveTokens {
		return fmt.Errorf("--max-tokens is 2 to %d", models.MaxLiveTokens)
	}
	if f.MinSecret < 1 || f.MinSecret > auth.MaxPassword {
		return fmt.Errorf("--min-secret is 1 to %d", auth.MaxPassword)
	}
	if f.AccountTries < 1 || f.NetworkTries < 1 {
		return errors.New("--account-tries and --network-tries are at least 1")
	}
	if f.SecretStrength < 0 || f.SecretStrength > auth.MaxStrength {
		return fmt.Errorf("--secret-strength is 0 to %d", auth.MaxStrength)
	}
	if f.RevocationLag < time.Second {
		return errors.New("--revocation-lag is at least 1s")
	}
	if f.KeyRotation != 0 && f.KeyRotation < time.Hour {
		return errors.New("--key-rotation is at least 1h, or 0")
	}
	if f.TokenTTL > f.MaxSession {
		return fmt.Errorf("--token-ttl (%s) must not exceed --max-session (%s)",
			formatDuration(f.TokenTTL), formatDuration(f.MaxSession))
	}
	if err := f.Argon2.validate(); err != nil {
		return err
	}
	return f.options(own, nil).Validate()
}

// options completes the options that only one command sets with the flags.
func (f *configFlags) options(own auth.Options, logger *slog.Logger) auth.Options {
	own.TokenTTL, own.MaxTokenTTL, own.MaxSession = f.TokenTTL, f.MaxTokenTTL, f.MaxSession
	own.MaxTokens = f.MaxTokens
	own.Lag, own.KeyRotation = f.RevocationLag, f.KeyRotation
	own.AccountAttempts, own.NetworkAttempts = f.AccountTries, f.NetworkTries
	own.MinPassword, own.PasswordStrength = f.MinSecret, f.SecretStrength
	own.Params, own.Logger = f.Argon2.params(), logger
	return own
}
