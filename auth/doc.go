// Package auth issues, verifies and revokes tokens. It holds the keys that sign them, the passwords
// and their hashes, and the Echo middleware that requires a valid token. It contains no SQL and no
// HTML.
//
// # The token
//
// A token is exactly 56 characters of A-Z, a-z, 0-9, "-" and "_": base64url (RFC 4648 section 5)
// of 42 bytes, which needs no padding and leaves no spare bits, so a token has exactly one
// encoding. With 56 characters, "TOKEN:" stays within the 57 bytes that clients which wrap base64
// at 76 columns can send in a Basic header.
//
// The 42 bytes have the layout of gorilla/securecookie:
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
//	byte  6     scope (1 UserScope, 2 AdminScope, from 3 on the operator's)
//	byte  7-8   4 bits client type (1 e-mail, 2 mobile number), 12 bits serial
//
// The MAC is HMAC over unkeyed BLAKE2b with an output of 18 bytes (144 bits), computed over
//
//	purpose "|" time of issue "|" base64url of the claims
//
// with a 32-byte key of the key ring. The purpose is "token" for tokens, "setup" for the link that
// creates the first administrator, "reset" for the link that sets a new password, and "device" for
// the cookie of a known device. It is not sent, and a token is valid only for its own purpose.
//
// A token is valid if its length and alphabet are right, a key of the ring made its MAC, its claims
// are known values, its time of issue is at most 60 seconds in the future, its time of issue plus
// its lifetime lies after the current second, and it is not revoked. Verification does no I/O: the
// revoked tokens are in memory, in a set that the follower keeps up to date with the store.
//
// The id of a token is (uid, time of issue, serial): see models.TokenID.
package auth
