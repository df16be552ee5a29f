// Package models stores users, tokens, revocations, scopes and sealed signing keys, and keeps the
// rules that apply to them. It holds all SQL of the project, for SQLite and PostgreSQL. It knows
// nothing of HTTP, of how a token is signed, or of how a password is hashed.
//
// Times are whole Unix seconds in UTC from the process's clock. No decision depends on the clock of
// the database.
//
// Every method of Store can return an error that wraps ErrUnavailable if the database cannot be
// used: it is locked, full, unreadable or cannot be reached. The comment of each method names its
// other errors.
//
// Some names in SQL are older than those in Go. They stay, because nodes of two versions use the
// same database:
//
//	SQL                        Go
//	endings, sequence ending   revocations
//	users.ended_through        revokedThrough
//	endings.ended_at           the time of a revocation
//	ends_at                    EndsAt: when a token is first refused
//	users.secret_hash          the password hash
//	attempts, subject          Failures, its limit key
//	sequence ring              changes to the signing keys
package models
