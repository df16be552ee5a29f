// Package models is what Latchkey stores and the rules of it: users, issued tokens, ended tokens,
// scopes and sealed signing keys, in SQLite through database/sql. It holds all SQL of the project
// and knows nothing of HTTP, of how a token is signed, or of how a secret is hashed.
//
// Times are whole Unix seconds, UTC, taken from the process's clock: no decision rests on the SQL
// clock.
//
// Every method of Store may return an error wrapping ErrUnavailable when the database cannot be
// used (locked, full, unreadable); the errors that are answers rather than faults are named in
// each method's comment.
package models
