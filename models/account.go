package models

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// ClientType is the kind of an account. The numbers are those of the original service.
type ClientType uint16

// The client types. Only EMail and Mobile log in with an account and a password.
const (
	EMail           ClientType = 100
	Mobile          ClientType = 101
	MiniProgram     ClientType = 200
	OfficialAccount ClientType = 201
)

// String returns the type in words.
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

// TypeOf returns the client type of an account: EMail if it contains an @, otherwise Mobile.
func TypeOf(account string) ClientType {
	if strings.Contains(account, "@") {
		return EMail
	}
	return Mobile
}

// AccountKey returns the canonical form of an account, by which accounts are compared and kept
// unique: case-folded and composed (Unicode default case folding, NFC), a mobile number without
// its plus sign. It is idempotent and accepts any text.
func AccountKey(account string) string {
	if !strings.Contains(account, "@") {
		account = strings.TrimPrefix(account, "+")
	}
	return fold(account)
}

// fold makes texts equal that differ only in case or composition.
func fold(s string) string {
	folded := cases.Fold().String(norm.NFD.String(s))
	return norm.NFC.String(strings.Map(foldCherokee, folded))
}

// foldCherokee maps a small Cherokee letter to its capital, the folded form of the pair. What
// cases.Fold does with them depends on the letters around them (golang/go#46101).
func foldCherokee(r rune) rune {
	switch {
	case '\uab70' <= r && r <= '\uabbf':
		return r - '\uab70' + '\u13a0'
	case '\u13f8' <= r && r <= '\u13fd':
		return r - '\u13f8' + '\u13f0'
	}
	return r
}

// Limits of an account.
const (
	minEMail  = 5   // bytes
	maxEMail  = 254 // bytes: RFC 5321, section 4.5.3.1.3
	minMobile = 5   // digits
	maxMobile = 15  // digits: ITU-T E.164
)

// The messages about an account. The texts of the first two are the original service's.
const (
	msgEMail  = "invalidate email"
	msgTaken  = "This account is already registered."
	msgMobile = "A mobile number has 5 to 15 digits, with an optional + in front."
)

// CheckAccount adds to v why an account is not a valid one of its type.
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

// AddTaken adds to v that the account is already registered.
func AddTaken(v ValidationError) { v.Add("account", msgTaken) }

// isMobile accepts an optional plus sign and 5 to 15 digits that do not start with zero (E.164).
func isMobile(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	if len(digits) < minMobile || len(digits) > maxMobile || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// isEMail accepts local@domain with the characters of RFC 5321's dot-string and, beyond ASCII,
// letters, marks and digits. It refuses a quoted local part and a colon, so an account always fits
// the user name of HTTP Basic. It also refuses compatibility characters, such as full-width
// letters, because they look like another account.
func isEMail(s string) bool {
	if len(s) < minEMail || len(s) > maxEMail || !isPrintable(s) ||
		!norm.NFKC.IsNormalString(norm.NFC.String(s)) {
		return false
	}
	local, domain, ok := strings.Cut(s, "@")
	return ok && isDotted(local, "!#$%&'*+-/=?^_`{|}~") && isDotted(domain, "-")
}

// isDotted accepts parts joined by dots, each of one or more letters, marks, digits and extra
// characters.
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
