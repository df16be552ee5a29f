// Package auth is what Latchkey exists for: tokens, the keys that sign them, secrets and their
// hashes, and the Echo middleware that lets a request through only with a valid token. It holds
// no SQL and no HTML.
//
// # The token
//
// A token is exactly 56 characters of A-Z, a-z, 0-9, "-" and "_": base64url (RFC 4648 section 5)
// of 42 bytes, which needs no padding and leaves no spare bits, so a token has exactly one
// spelling. With 56 characters, "TOKEN:" stays within the 57 bytes that clients which wrap base64
// at 76 columns can send in a Basic header.
//
// The 42 bytes are what gorilla/securecookie lays out:
//
//	byte  0-9   time of issue, decimal Unix seconds, always ten digits
//	byte  10    "|"
//	byte  11-22 base64url of the 9 bytes of claims
//	byte  23    "|"
//	byte  24-41 MAC
//
// The 9 bytes of claims, integers in network order:
//
//	byte  0-3   uid, the user's number
//	byte  4-5   lifetime: 2 bits unit (0 seconds, 1 minutes, 2 hours), 14 bits count, never 0
//	byte  6     scope (1 UserScope, 2 AdminScope, from 3 on those that the operator named)
//	byte  7-8   4 bits client type (1 e-mail, 2 mobile number), 12 bits serial
//
// The MAC is HMAC over unkeyed BLAKE2b with an output of 18 bytes (144 bits), computed over
//
//	purpose "|" time of issue "|" base64url of the claims
//
// with a 32-byte key of the key ring. The purpose is "token" for tokens, "setup" for the one-time
// link that makes the first administrator and "reset" for the one-time link that sets a secret
// anew; it is not sent, so a token of one purpose never passes for another.
//
// A token is accepted when its length and alphabet are right, a key of the ring made its MAC, its
// claims are known values, its time of issue is at most 60 seconds ahead of the clock, its time
// of issue plus its lifetime lies after the current second, and it has not been ended. None of
// that needs I/O: ended tokens are held in memory, in a set that follows the store.
//
// The id of a token is (uid, time of issue, serial): see models.TokenID.
package auth
