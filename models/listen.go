package models

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where PostgreSQL announces endings and changes to the keys.
const channel = "latchkey"

// How often the store is asked for what is new when nothing was heard.
const (
	pollSQLite   = 100 * time.Millisecond
	pollPostgres = 500 * time.Millisecond
)

// PollEvery is how often the store must be asked for what is new.
func (s *Store) PollEvery() time.Duration {
	if s.Shared() {
		return pollPostgres
	}
	return pollSQLite
}

// Listen calls heard whenever there may be something new, until ctx is done: after each
// announcement, and whenever announcements may have been missed. It is no more than a hint, for
// announcements get lost with their connection. With SQLite it only waits.
func (s *Store) Listen(ctx context.Context, heard func()) {
	p, ok := s.engine.(*postgres)
	if !ok {
		<-ctx.Done()
		return
	}
	for try := 0; ; try++ {
		if listened := p.listen(ctx, heard); listened {
			try = 0
		}
		if !pause(ctx, try) {
			return
		}
	}
}

// listen listens on a connection of its own until that breaks, and says whether it could.
func (p *postgres) listen(ctx context.Context, heard func()) (listened bool) {
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return false
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_ = conn.Close(closing) // broken, or no longer needed
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true
		}
	}
}
