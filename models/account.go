package models

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of what is accepted as an account or a nickname.
const (
	MinEMail    = 5   // bytes
	MaxEMail    = 254 // bytes, RFC 5321 section 4.5.3.1.3
	MinNickname = 2   // characters (code points)
	MaxNickname = 22  // characters (code points)
	MaxLabel    = 64  // characters (code points)
	minMobile   = 5   // digits
	maxMobile   = 15  // digits, ITU-T E.164
)

// The sentences about a field; the first two are the original service's.
const (
	msgEMail  = "invalidate email"
	msgTaken  = "This account is already registered."
	msgMobile = "A mobile number has 5 to 15 digits, with an optional + in front."
	msgText   = "This text holds characters that cannot be shown."
)

// AccountKey is the one canonical form by which accounts are compared and kept unique:
// case-folded and composed (Unicode default case folding, NFC), a mobile number without its plus
// sign. It is idempotent and does not judge whether the account is well-formed.
func AccountKey(account string) string {
	if !strings.Contains(account, "@") {
		account = strings.TrimPrefix(account, "+")
	}
	return fold(account)
}

// fold makes texts that differ only in case or composition equal.
func fold(s string) string {
	folded := cases.Fold().String(norm.NFD.String(s))
	return norm.NFC.String(strings.Map(foldCherokee, folded))
}

// foldCherokee leads a small Cherokee letter to its capital, the folded form of the pair.
// cases.Fold does so or the other way round, as other letters of the text will have it
// (golang/go#46101).
func foldCherokee(r rune) rune {
	switch {
	case '\uab70' <= r && r <= '\uabbf':
		return r - '\uab70' + '\u13a0'
	case '\u13f8' <= r && r <= '\u13fd':
		return r - '\u13f8' + '\u13f0'
	}
	return r
}

// TypeOf tells the client type that an account's form implies: with an @ it is an e-mail address.
func TypeOf(account string) ClientType {
	if strings.Contains(account, "@") {
		return EMail
	}
	return Mobile
}

// CheckAccount notes in v what is wrong with an account of the given type.
func CheckAccount(v ValidationError, t ClientType, account string) {
	switch {
	case account == "":
		v.Require("account")
	case t == Mobile && !isMobile(account):
		v.Add("account", msgMobile)
	case t == EMail && !isEMail(account):
		v.Add("account", msgEMail)
	}
}

// AddTaken notes that the account exists already.
func AddTaken(v ValidationError) { v.Add("account", msgTaken) }

// isMobile: an optional plus, then 5 to 15 digits that do not begin with zero (E.164).
func isMobile(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	if len(digits) < minMobile || len(digits) > maxMobile || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// isEMail accepts local@domain with the characters of RFC 5321's dot-string and, beyond ASCII,
// letters, marks and digits. No quoted local part and no colon, so an account always fits the
// user name of HTTP Basic. Compatibility characters (full-width letters and the like) are
// refused: they look like another account.
func isEMail(s string) bool {
	if len(s) < MinEMail || len(s) > MaxEMail || !isPrintable(s) ||
		!norm.NFKC.IsNormalString(norm.NFC.String(s)) {
		return false
	}
	local, domain, ok := strings.Cut(s, "@")
	return ok && isDotted(local, "!#$%&'*+-/=?^_`{|}~") && isDotted(domain, "-")
}

// isDotted says whether s is one or more parts joined by dots, each of letters, marks, digits and
// extra.
func isDotted(s, extra string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for _, r := range part {
			if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) &&
				!strings.ContainsRune(extra, r) {
				return false
			}
		}
	}
	return true
}

// ClientType is how an account names itself; the numbers are the original service's.
type ClientType uint16

// The client types. Only EMail and Mobile log in with an account and a secret.
const (
	EMail           ClientType = 100
	Mobile          ClientType = 101
	MiniProgram     ClientType = 200
	OfficialAccount ClientType = 201
)

// String names the type in words.
func (t ClientType) String() string {
	switch t {
	case EMail:
		return "e-mail"
	case Mobile:
		return "mobile number"
	case MiniProgram:
		return "WeChat mini program"
	case OfficialAccount:
		return "WeChat official account"
	}
	return fmt.Sprintf("client type %d", uint16(t))
}
