//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"latchkey/auth"
	"latchkey/models"
)

// directory is an open data directory, or a database with the master key from a directory.
type directory struct {
	store     *models.Store
	authority *auth.Authority
	name      string // absolute path of the data directory, or the database's address
}

// Close closes the database.
func (d directory) Close() error { return d.store.Close() }

// opening says how a command opens a data directory.
type opening struct {
	create  bool // create a missing or empty one
	options auth.Options
	// recover repairs what would keep the authority from starting; nil repairs nothing.
	recover func(context.Context, *auth.KeyRing) error
}

// open opens the data directory for a command that works on accounts, tokens or keys.
func (f *configFlags) open(ctx context.Context) (directory, error) {
	return f.openWith(ctx, opening{options: f.options(auth.Options{CommandLine: true}, nil)})
}

// openWith opens the data directory. It never creates a master key or a database where accounts
// existed before.
func (f *configFlags) openWith(ctx context.Context, o opening) (d directory, err error) {
	unlock, err := f.lock(o.create)
	if err != nil {
		return directory{}, err
	}
	defer unlock() //nolint:errcheck // the lock file holds no data
	key, missing, err := f.inspect()
	if err != nil {
		return directory{}, err
	}
	store, err := f.openStore(ctx, o.create)
	if errors.Is(err, models.ErrNoDatabase) {
		err = noDirectory(f.Data)
	}
	if err != nil {
		return directory{}, err
	}
	authority, err := f.authority(ctx, store, key, missing, o)
	if err != nil {
		return directory{}, errors.Join(err, store.Close())
	}
	return directory{store, authority, f.name(store)}, nil
}

// lock keeps other processes from creating the same things at once. With create it makes the
// directory.
func (f *configFlags) lock(create bool) (unlock func() error, err error) {
	if _, err := os.Stat(f.Data); create && errors.Is(err, os.ErrNotExist) {
		if _, _, err := f.inspect(); err != nil {
			return nil, err
		}
		if err := f.checkMasterKeyDirectory(); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(f.Data, 0o700); err != nil {
			return nil, err
		}
	}
	unlock, err = models.Lock(f.Data)
	if errors.Is(err, models.ErrNoDatabase) {
		err = noDirectory(f.Data)
	}
	return unlock, err
}

// checkMasterKeyDirectory checks that the master key could be created where --secret-file names it.
func (f *storeFlags) checkMasterKeyDirectory() error {
	if f.SecretFile == "" {
		return nil
	}
	dir := filepath.Dir(f.SecretFile)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("--secret-file: %s is not a directory that exists", dir)
	}
	return nil
}

// noDirectory is the error for a data directory that is missing where it is not to be created.
func noDirectory(dir string) error {
	return fmt.Errorf("%w in %s: name the server's data directory with --data, "+
		"or create one by starting latchkey serve", models.ErrNoDatabase, dir)
}

// name is how messages name what was changed.
func (f *storeFlags) name(store *models.Store) string {
	if store.Shared() {
		return store.String()
	}
	return absolute(f.Data)
}

// openStore opens the database that the flags name.
func (f *storeFlags) openStore(ctx context.Context, create bool) (*models.Store, error) {
	if f.Database == "" {
		return models.Open(ctx, f.Data, create)
	}
	return models.OpenPostgres(ctx, f.Database,
		models.PostgresOptions{Connections: f.DatabaseConnections, Application: "latchkey"})
}

// flagsAgain returns the flags by which another command opens the same store, from any working
// directory. A URL with a password stays in the environment.
func (f *storeFlags) flagsAgain() string {
	flags := " --data " + shellQuote(absolute(f.Data))
	if f.Database != "" {
		u, err := url.Parse(f.Database)
		if err != nil || hasPassword(u) {
			flags += ` --database "$LATCHKEY_DATABASE"`
		} else {
			flags += " --database " + shellQuote(f.Database)
		}
	}
	if f.SecretFile != "" {
		flags += " --secret-file " + shellQuote(absolute(f.SecretFile))
	}
	return flags
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// absolute returns the absolute path, or the path as it is if there is no working directory.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// inspect reads the master key, or returns why it is missing, and changes nothing. err is what must
// stop the command.
func (f *configFlags) inspect() (key auth.MasterKey, missing, err error) {
	path := f.masterKeyFile()
	key, missing = auth.LoadMasterKey(path)
	if missing != nil && !errors.Is(missing, auth.ErrMasterKeyMissing) {
		return auth.MasterKey{}, nil, missing
	}
	if f.Database != "" {
		return key, missing, nil
	}
	state, err := models.Inspect(f.Data)
	if err == nil && state != models.FilePresent && missing == nil && !f.isNew() {
		err = fmt.Errorf("the database in %s is missing or empty, but the master key %s exists: "+
			"restore the database from a backup, or remove the master key to start with no accounts",
			f.Data, path)
	}
	return key, missing, err
}

// isNew reports whether the data directory is missing or empty: then a master key outside it was
// provided for the first start.
func (f *configFlags) isNew() bool {
	entries, err := os.ReadDir(f.Data)
	return len(entries) == 0 && (err == nil || errors.Is(err, os.ErrNotExist))
}

// authority updates the schema and loads the keys, after creating the master key of a first start.
func (f *configFlags) authority(
	ctx context.Context, store *models.Store, key auth.MasterKey, missing error, o opening,
) (*auth.Authority, error) {
	if store.Shared() {
		if err := store.RequireSchema(ctx); err != nil {
			return nil, err
		}
	}
	path := f.masterKeyFile()
	if missing != nil {
		err := checkUnused(ctx, store, missing)
		if err == nil {
			key, err = auth.CreateMasterKey(path)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(store.Migrate(ctx), store.CheckMoved(ctx)); err != nil {
		return nil, err
	}
	ring, err := auth.LoadKeyRing(ctx, store, key, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if o.recover != nil {
		if err := o.recover(ctx, ring); err != nil {
			return nil, err
		}
	}
	return auth.NewAuthority(ctx, store, ring, o.options)
}

// checkUnused rejects a missing master key where one was in use, instead of creating another.
func checkUnused(ctx context.Context, store *models.Store, missing error) error {
	used, err := store.HasUsers(ctx)
	if err == nil && used {
		err = fmt.Errorf("%w, but there are accounts: restore it from a backup", missing)
	}
	if err != nil || !store.Shared() {
		return err
	}
	keys, err := store.Keys(ctx)
	if err == nil && len(keys) > 0 {
		err = fmt.Errorf("%w, but other nodes have one: copy it from there", missing)
	}
	return err
}
