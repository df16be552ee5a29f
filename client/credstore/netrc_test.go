package credstore

import (
	"strings"
	"testing"
)

// TestNetrc: our entries are replaced; comments, macros and other entries stay.
func TestNetrc(t *testing.T) {
	app := Machine{"app.example.com", "latchkey", "NEW"}
	const line = "machine app.example.com login latchkey password NEW\n"
	tests := []struct{ name, text, want string }{
		{"empty", "", line},
		{"others", "machine a login b password c\n", line + "machine a login b password c\n"},
		{"one line", "machine app.example.com login x password OLD\nmachine a\n", line + "machine a\n"},
		{"in the middle", "machine a\nmachine app.example.com login x password OLD\nmachine b\n",
			line + "machine a\nmachine b\n"},
		{"several lines", "machine app.example.com\n\tlogin x\n\tpassword OLD\nmachine b\n",
			line + "machine b\n"},
		{"twice", "machine app.example.com login x\nmachine app.example.com password y\n", line},
		{"before default", "default login anonymous\n", line + "default login anonymous\n"},
		{"comments", "# mine\nmachine app.example.com password OLD\n# machine a\nmachine b\n",
			line + "# mine\n# machine a\nmachine b\n"},
		{"macro", "machine app.example.com\nmacdef init\nmachine app.example.com\n\nmachine b\n",
			line + "macdef init\nmachine app.example.com\n\nmachine b\n"},
		{"a password like a keyword", "machine a password machine login app.example.com\n",
			line + "machine a password machine login app.example.com\n"},
		{"quoted", `machine a password "x machine app.example.com y"` + "\n",
			line + `machine a password "x machine app.example.com y"` + "\n"},
		{"a password like a comment", "machine a password #1\nmachine app.example.com password OLD\n",
			line + "machine a password #1\n"},
		{"subdomain", "machine x.app.example.com password y\n",
			line + "machine x.app.example.com password y\n"},
		{"user for login",
			"machine a password b\nmachine app.example.com\n user x\n password OLD\nmachine c\n",
			line + "machine a password b\nmachine c\n"},
		{"unknown words",
			"machine a password b\nmachine app.example.com port 443 login x passwd OLD\nmachine c\n",
			line + "machine a password b\nmachine c\n"},
		{"quoted name",
			"machine \"app.example.com\" password OLD\nmachine APP.example.com password OLD\n", line},
		{"Windows line ends", "machine app.example.com password OLD\r\nmachine b\r\n",
			line + "machine b\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Netrc(test.text, []Machine{app}); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// FuzzNetrc: without machines no text changes, a second call changes nothing, other entries stay.
func FuzzNetrc(f *testing.F) {
	for _, seed := range []string{"", "machine a login b password c\n", "default\n",
		"macdef x\ny\n\nmachine a\n", "#\nmachine\n", "machine App.example.com",
		`machine "a`, "machine app.example.com login machine password password\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Netrc(text, nil); got != text {
			t.Errorf("%q became %q", text, got)
		}
		app := []Machine{{"app.example.com", "latchkey", "NEW"}}
		once := Netrc(text, app)
		_, first := (&netrcScanner{rest: text}).nextWord(true) // a word of no entry would join ours
		known := first == "" || first == "machine" || first == "default" || first == "macdef"
		if twice := Netrc(once, app); twice != once && known {
			t.Errorf("%q became %q, then %q", text, once, twice)
		}
		if !strings.Contains(strings.ToLower(text), "app.example.com") && once != app[0].line()+text {
			t.Errorf("%q became %q", text, once)
		}
	})
}
