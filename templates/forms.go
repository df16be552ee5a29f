package templates

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// PasswordRule describes what the server requires of a new password.
type PasswordRule struct {
	MinLength int      // in characters
	Strength  int      // the minimum on the meter's scale from 0 to 4; 0 rejects nothing
	Related   []string // words that make a password weak, in addition to the form's own fields
}

// RelatedJSON returns Related as a JSON array, for the script.
func (r PasswordRule) RelatedJSON() (string, error) {
	b, err := json.Marshal(r.Related)
	return string(b), err
}

// Login is the sign-in page. Its form posts account, secret and next to /login.
type Login struct {
	Chrome
	Account          string // as typed before, or empty
	Next             string // where to go afterwards, or empty; the caller has validated it
	RegistrationOpen bool   // whether to offer /register
	Notice           string // such as "You are signed out."; may be empty
	Errors           FieldErrors
}

// Register is the page that creates an account. Its form posts account, nickname, secret and next
// to /register.
type Register struct {
	Chrome
	Account, Nickname string // as typed before, or empty
	Next              string // where to go afterwards, or empty; the caller has validated it
	Approval          bool   // whether an administrator must approve the account
	Rule              PasswordRule
	Errors            FieldErrors
}

// Setup is the page that creates the first administrator. Its form posts token, account, nickname
// and secret to /setup.
type Setup struct {
	Chrome
	Token             string // from the setup link; the form sends it back unchanged
	Account, Nickname string // as typed before, or empty
	Rule              PasswordRule
	Errors            FieldErrors
}

// Reset is the page that sets a new password by a one-time link. Its form posts token and secret
// to /reset.
type Reset struct {
	Chrome
	Token       string // from the reset link; the form sends it back unchanged
	AccountName string
	Rule        PasswordRule
	Errors      FieldErrors
}

// Render writes the page. It writes nothing if it fails.
func (p Login) Render(w io.Writer) error {
	f := newForm("/login", p.Errors, accountInput(p.Account, ""),
		passwordInput("secret", "Password", "current-password", ""))
	f.Button, f.Busy = "Sign in", "Signing in…"
	f.hide("next", p.Next)
	body := struct {
		Login
		Form form
	}{p, f}
	return render(w, "login", view{Chrome: p.Chrome, Title: f.title("Sign in"), Body: body})
}

// Render writes the page. It writes nothing if it fails.
func (p Register) Render(w io.Writer) error {
	f := newForm("/register", p.Errors, newAccountInputs(p.Account, p.Nickname, p.Rule)...)
	f.Button, f.Busy = "Create account", "Creating the account…"
	f.hide("next", p.Next)
	body := struct {
		Register
		Form form
	}{p, f}
	return render(w, "register",
		view{Chrome: p.Chrome, Title: f.title("Create an account"), Body: body})
}

// Render writes the page. It writes nothing if it fails.
func (p Setup) Render(w io.Writer) error {
	f := newForm("/setup", p.Errors, newAccountInputs(p.Account, p.Nickname, p.Rule)...)
	f.Button, f.Busy = "Create administrator", "Creating the account…"
	f.hide("token", p.Token)
	return render(w, "setup", view{Chrome: p.Chrome, Title: f.title("Set up Latchkey"), Body: f})
}

// Render writes the page. It writes nothing if it fails.
func (p Reset) Render(w io.Writer) error {
	account := accountInput(p.AccountName, "")
	account.Label, account.Fixed = "Account", true
	f := newForm("/reset", p.Errors, account, newPasswordInput("secret", "New password", p.Rule))
	f.Button, f.Busy = "Set password", "Setting the password…"
	f.hide("token", p.Token)
	return render(w, "reset",
		view{Chrome: p.Chrome, Title: f.title("Set a new password"), Body: f})
}

// form is the data of the "form" part.
type form struct {
	Action       string
	Button, Busy string // the button's text, before and after it is pressed
	Hidden       []hidden
	Inputs       []input
	Whole        []string  // errors of the form as a whole
	Problems     []problem // errors of single fields, in the order of the form
}

// hidden is a hidden field.
type hidden struct{ Name, Value string }

// input is a field with its label. Its name is also its id.
type input struct {
	Name, Label, Hint   string
	Value, Autocomplete string
	Password, Account   bool // which input type and keyboard
	Rule                *PasswordRule
	Fixed               bool // read-only
	Options             []Option
	Focus               bool // whether the page opens with the cursor here
	Errors              []string
	Whole               bool // whether the errors of the whole form describe this field
}

// Option is one choice of a field.
type Option struct {
	Value, Label string
	Chosen       bool
}

// problem is one line of the error summary. Field is empty if the form has no such field.
type problem struct{ Field, Label, Text string }

// newForm assigns the errors to their fields and chooses where the cursor starts: at the first
// field with an error, otherwise at the first empty one.
func newForm(action string, errs FieldErrors, inputs ...input) form {
	f := form{Action: action, Inputs: inputs, Whole: errs[""]}
	for i := range f.Inputs {
		in := &f.Inputs[i]
		in.Errors = errs[in.Name]
		for _, text := range in.Errors {
			f.Problems = append(f.Problems, problem{in.Name, in.Label, text})
		}
	}
	f.addUnmatched(errs)
	wrong := func(in input) bool { return len(in.Errors) > 0 }
	start := slices.IndexFunc(f.Inputs, wrong)
	if start < 0 {
		start = slices.IndexFunc(f.Inputs, func(in input) bool { return in.Value == "" })
	}
	if start >= 0 { // every field of a form without a password may be filled
		f.Inputs[start].Focus = true
		f.Inputs[start].Whole = len(f.Whole) > 0
	}
	return f
}

// embedded returns the form for a page with other content: the cursor starts in it only after an
// error.
func (f form) embedded() form {
	for i := range f.Inputs {
		f.Inputs[i].Focus = f.Inputs[i].Focus && f.Wrong()
	}
	return f
}

// Wrong reports whether the form has errors.
func (f form) Wrong() bool { return len(f.Whole)+len(f.Problems) > 0 }

// addUnmatched keeps errors of fields that the form does not have.
func (f *form) addUnmatched(errs FieldErrors) {
	var unmatched []string
	for name := range errs {
		known := slices.ContainsFunc(f.Inputs, func(in input) bool { return in.Name == name })
		if name != "" && !known {
			unmatched = append(unmatched, name)
		}
	}
	slices.Sort(unmatched)
	for _, name := range unmatched {
		for _, text := range errs[name] {
			f.Problems = append(f.Problems, problem{"", name, text})
		}
	}
}

// hide adds a hidden field unless its value is empty.
func (f *form) hide(name, value string) {
	if value != "" {
		f.Hidden = append(f.Hidden, hidden{name, value})
	}
}

// title puts "Error: " in front of the title if the form has errors, because screen readers read
// the title first.
func (f *form) title(title string) string {
	if f.Wrong() {
		return "Error: " + title
	}
	return title
}

func accountInput(value, hint string) input {
	return input{Name: "account", Label: "E-mail or mobile number", Hint: hint, Value: value,
		Autocomplete: "username", Account: true}
}

func passwordInput(name, label, autocomplete, hint string) input {
	return input{Name: name, Label: label, Hint: hint, Autocomplete: autocomplete, Password: true}
}

// newPasswordInput returns the field for a new password.
func newPasswordInput(name, label string, rule PasswordRule) input {
	in := passwordInput(name, label, "new-password",
		fmt.Sprintf("At least %d characters. All characters and spaces count.", rule.MinLength))
	in.Rule = &rule
	return in
}

func nicknameInput(value string) input {
	return input{Name: "nickname", Label: "Nickname", Hint: "2 to 22 characters.", Value: value,
		Autocomplete: "nickname"}
}

// newAccountInputs returns the fields of a form that creates an account.
func newAccountInputs(account, nickname string, rule PasswordRule) []input {
	return []input{
		accountInput(account, "Type a mobile number as digits only, country code first."),
		nicknameInput(nickname),
		newPasswordInput("secret", "Password", rule),
	}
}
