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
		if p.listen(ctx, heard) {
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
	for ctx.Err() == nil {
		heard()
		if err := awaitNotification(ctx, conn); err != nil {
			return true
		}
	}
	return true
}

// awaitNotification waits for an announcement, or for half a minute; then it fails if the other
// side is silent for good.
func awaitNotification(ctx context.Context, conn *pgx.Conn) error {
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := conn.WaitForNotification(waiting)
	if err == nil || waiting.Err() == nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return conn.Ping(asking)
}
