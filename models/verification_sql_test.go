package models_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"latchkey/auth"
	"latchkey/models"
)

// countingDriver is the SQLite driver that counts the statements it is given.
type countingDriver struct {
	sqlite3.SQLiteDriver
	statements atomic.Int64
}

type countingConn struct {
	*sqlite3.SQLiteConn
	d *countingDriver
}

type countingStmt struct {
	*sqlite3.SQLiteStmt
	d *countingDriver
}

func (d *countingDriver) Open(name string) (driver.Conn, error) {
	c, err := d.SQLiteDriver.Open(name)
	if err != nil {
		return nil, err
	}
	return &countingConn{c.(*sqlite3.SQLiteConn), d}, nil
}

func (c *countingConn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	c.d.statements.Add(1)
	return c.SQLiteConn.ExecContext(ctx, query, args)
}

func (c *countingConn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	c.d.statements.Add(1)
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

func (c *countingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.d.statements.Add(1)
	return c.SQLiteConn.BeginTx(ctx, o)
}

func (c *countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.d.statements.Add(1)
	s, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &countingStmt{s.(*sqlite3.SQLiteStmt), c.d}, nil
}

func (s *countingStmt) ExecContext(
	ctx context.Context, args []driver.NamedValue,
) (driver.Result, error) {
	s.d.statements.Add(1)
	return s.SQLiteStmt.ExecContext(ctx, args)
}

func (s *countingStmt) QueryContext(
	ctx context.Context, args []driver.NamedValue,
) (driver.Rows, error) {
	s.d.statements.Add(1)
	return s.SQLiteStmt.QueryContext(ctx, args)
}

// TestVerificationDoesNoSQL: a login asks the database, a verification does not, be the token
// good or bad.
func TestVerificationDoesNoSQL(t *testing.T) {
	counting := &countingDriver{}
	sql.Register("counting", counting)
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	secret, err := auth.CreateMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := models.OpenWith(t.Context(), "counting", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ring, err := auth.LoadKeyRing(t.Context(), store, secret, path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.NewAuthority(t.Context(), store, ring, auth.Options{Lag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Register(t.Context(), auth.Registration{Account: "a@b.cn", Password: "secret1",
		Nickname: "Ann", ClientType: models.EMail}, models.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	before := counting.statements.Load()
	login := func() auth.Issued {
		issued, err := a.Login(t.Context(), auth.Login{Account: "a@b.cn", Password: "secret1",
			ClientType: models.EMail})
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	live, ended := login(), login()
	if err := a.Revoke(t.Context(), ended.Identity.TokenID, "test"); err != nil {
		t.Fatal(err)
	}
	if counting.statements.Load() == before {
		t.Fatal("the counter does not count")
	}
	before = counting.statements.Load()
	for range 1000 {
		if _, err := a.Verify(live.Token); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{ended.Token, live.Token[1:] + "A", "", "x"} {
			if _, err := a.Verify(bad); err == nil {
				t.Fatalf("%q was accepted", bad)
			}
		}
	}
	if n := counting.statements.Load() - before; n != 0 {
		t.Errorf("%d statements for 5,000 verifications", n)
	}
}
