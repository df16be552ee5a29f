package templates

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// PasswordRule is what is asked of a new secret.
type PasswordRule struct {
	Least    int      // characters
	Strength int      // on the meter's scale from 0 to 4; 0: nothing is refused
	About    []string // what makes no good secret, beside what the form's own fields say
}

// Words is About as a JSON array.
func (r PasswordRule) Words() (string, error) {
	b, err := json.Marshal(r.About)
	return string(b), err
}

// Login is the page on which a person signs in. It posts account, secret and next to /login.
type Login struct {
	Chrome
	Account          string // as typed before, or empty
	Next             string // where to go afterwards, or empty; the caller has checked it
	RegistrationOpen bool   // whether to offer /register
	Notice           string // such as "You are signed out."; may be empty
	Errors           FieldErrors
}

// Register is the page on which a person creates an account. It posts account, nickname, secret
// and next to /register.
type Register struct {
	Chrome
	Account, Nickname string // as typed before, or empty
	Next              string // where to go afterwards, or empty; the caller has checked it
	Rule              PasswordRule
	Errors            FieldErrors
}

// Setup is the page that creates the first administrator. It posts token, account, nickname and
// secret to /setup.
type Setup struct {
	Chrome
	Token             string // proof of the right to set up, sent back as it is
	Account, Nickname string // as typed before, or empty
	Rule              PasswordRule
	Errors            FieldErrors
}

// Render writes the page. Nothing is written when it fails.
func (p Login) Render(w io.Writer) error {
	f := newForm("/login", p.Errors, accountInput(p.Account, ""),
		passwordInput("secret", "Secret", "current-password", ""))
	f.Button, f.Busy = "Sign in", "Signing in…"
	f.hide("next", p.Next)
	body := struct {
		Login
		Form form
	}{p, f}
	return render(w, "login", view{Chrome: p.Chrome, Title: f.title("Sign in"), Body: body})
}

// Render writes the page. Nothing is written when it fails.
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

// Render writes the page. Nothing is written when it fails.
func (p Setup) Render(w io.Writer) error {
	f := newForm("/setup", p.Errors, newAccountInputs(p.Account, p.Nickname, p.Rule)...)
	f.Button, f.Busy = "Create administrator", "Creating the account…"
	f.hide("token", p.Token)
	return render(w, "setup", view{Chrome: p.Chrome, Title: f.title("Set up"), Body: f})
}

// Reset is the page on which a person sets the secret anew by a one-time link. It posts token and
// secret to /reset.
type Reset struct {
	Chrome
	Token       string // of the link, sent back as it is
	AccountName string
	Rule        PasswordRule
	Errors      FieldErrors
}

// Render writes the page. Nothing is written when it fails.
func (p Reset) Render(w io.Writer) error {
	account := accountInput(p.AccountName, "")
	account.Label, account.Fixed = "Account", true
	f := newForm("/reset", p.Errors, account, newPasswordInput("secret", p.Rule))
	f.Button, f.Busy = "Set the secret", "Setting the secret…"
	f.hide("token", p.Token)
	return render(w, "reset", view{Chrome: p.Chrome, Title: f.title("A new secret"), Body: f})
}

// form is what the "form" part shows.
type form struct {
	Action       string
	Button, Busy string // the button's words, before and after it is pressed
	Hidden       []hidden
	Inputs       []input
	Whole        []string  // sentences about the form as a whole
	Problems     []problem // sentences about fields, in the order of the form
}

// hidden is a field that is sent along unseen.
type hidden struct{ Name, Value string }

// input is a field and its label. Its name is its id too.
type input struct {
	Name, Label, Hint   string
	Value, Autocomplete string
	Secret, Account     bool // which keyboard, which type
	Rule                *PasswordRule
	Fixed               bool // shown, not to be changed
	Options             []Option
	Focus               bool // whether the page opens with the cursor here
	Errors              []string
	Whole               bool // whether the sentences about the whole form describe this field
}

// Option is one choice of a field.
type Option struct {
	Value, Label string
	Chosen       bool
}

// problem is one line of the summary. Field is empty when the form has no such field.
type problem struct{ Field, Label, Text string }

// newForm puts the errors where they belong and chooses where the cursor starts: at the first
// wrong field, else at the first empty one.
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
	if start >= 0 { // a form without a secret may have every field filled
		f.Inputs[start].Focus = true
		f.Inputs[start].Whole = len(f.Whole) > 0
	}
	return f
}

// embedded is a form among other things: the cursor goes into it only when something is wrong.
func (f form) embedded() form {
	for i := range f.Inputs {
		f.Inputs[i].Focus = f.Inputs[i].Focus && f.Wrong()
	}
	return f
}

// Wrong says whether the form comes back with errors.
func (f form) Wrong() bool { return len(f.Whole)+len(f.Problems) > 0 }

// addUnmatched keeps sentences about fields that the form does not have from being lost.
func (f *form) addUnmatched(errs FieldErrors) {
	var strays []string
	for name := range errs {
		known := slices.ContainsFunc(f.Inputs, func(in input) bool { return in.Name == name })
		if name != "" && !known {
			strays = append(strays, name)
		}
	}
	slices.Sort(strays)
	for _, name := range strays {
		for _, text := range errs[name] {
			f.Problems = append(f.Problems, problem{"", name, text})
		}
	}
}

// hide adds a hidden field, unless it would be empty.
func (f *form) hide(name, value string) {
	if value != "" {
		f.Hidden = append(f.Hidden, hidden{name, value})
	}
}

// title marks the title of a page that comes back with errors: it is what a screen reader says
// first.
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
	return input{Name: name, Label: label, Hint: hint, Autocomplete: autocomplete, Secret: true}
}

// newPasswordInput is the field of a secret that is set.
func newPasswordInput(name string, rule PasswordRule) input {
	label := "Secret"
	if name == "new" {
		label = "New secret"
	}
	in := passwordInput(name, label, "new-password",
		fmt.Sprintf("At least %d characters. Any characters, exactly as typed.", rule.Least))
	in.Rule = &rule
	return in
}

func nicknameInput(value string) input {
	return input{Name: "nickname", Label: "Nickname", Hint: "2 to 22 characters.", Value: value,
		Autocomplete: "nickname"}
}

// newAccountInputs are the fields of a form that creates an account.
func newAccountInputs(account, nickname string, rule PasswordRule) []input {
	return []input{
		accountInput(account, "A mobile number is digits only, country code first."),
		nicknameInput(nickname),
		newPasswordInput("secret", rule),
	}
}
