package models

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is the PostgreSQL channel of the notifications about revocations and signing keys. They
// carry no payload: a process that hears one reads what is new by number.
const channel = "latchkey"

func (p *postgres) listen(ctx context.Context, notified func()) {
	for attempt := 0; ; attempt++ {
		if p.listenOnce(ctx, notified) {
			attempt = 0
		}
		if !pause(ctx, attempt) {
			return
		}
	}
}

// listenOnce listens on a connection of its own until it breaks. It reports whether it was able
// to listen.
func (p *postgres) listenOnce(ctx context.Context, notified func()) (listened bool) {
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return false
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_ = conn.Close(closing) // it is broken or no longer needed
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false
	}
	for ctx.Err() == nil {
		notified()
		if err := awaitNotification(ctx, conn); err != nil {
			return true
		}
	}
	return true
}

// awaitNotification waits up to 30 s for a notification. Then it returns an error if the server no
// longer responds.
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
