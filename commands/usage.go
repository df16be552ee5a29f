package commands

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// parserText is a message of the parser that speaks of its types, and what a person reads instead.
type parserText struct {
	pattern *regexp.Regexp
	text    string
}

func parserTexts() []parserText {
	return []parserText{
		{regexp.MustCompile(`^(.*?): (.*) \(from envar (\w+)="[^"]*"\)$`), "$1 (from $3): $2"},
		{regexp.MustCompile(`missing flags: (.*)$`), "$1 is missing"},
		{regexp.MustCompile(`expected one of (.*)$`), "the command is incomplete: $1 follows"},
		{regexp.MustCompile(`expected "(<[^"]*)"$`), "$1 is missing"},
		{regexp.MustCompile(`expected a valid (?:\d+ bit )?u?int but got "([^"]*)"`),
			`"$1" is not a number`},
		{regexp.MustCompile(`bool value must be .* but got "([^"]*)"`), `"$1" is neither true nor false`},
		{regexp.MustCompile(`(\S+) must be one of (.*) but got "([^"]*)"`), `$1 is one of $2, not "$3"`},
		{regexp.MustCompile(`expected \w+ value but got "([^"]*)" \(short flag\).*`),
			`"$1" is not a value; write a value that begins with a hyphen as --flag=VALUE`},
		{regexp.MustCompile(`expected \S+ value but got .*`), "the value is missing"},
	}
}

// plainUsage rewrites a message of the parser.
func plainUsage(text string) string {
	for _, known := range parserTexts() {
		text = known.pattern.ReplaceAllString(text, known.text)
	}
	return strings.ReplaceAll(text, `","`, `", "`)
}

// networkMapper reads a network, or one address.
type networkMapper struct{}

// Decode reads one network.
func (networkMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("network")
	if err != nil {
		return err
	}
	network, err := netip.ParsePrefix(token.String())
	if err != nil {
		return fmt.Errorf("%q is not a network; write 10.0.0.0/8, or 10.0.0.1/32 for one address",
			token.String())
	}
	target.Set(reflect.ValueOf(network))
	return nil
}

// levelMapper reads the level of the log.
type levelMapper struct{}

// Decode reads one level.
func (levelMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("level")
	if err != nil {
		return err
	}
	var level slog.Level
	if level.UnmarshalText([]byte(token.String())) != nil {
		return fmt.Errorf("%q is not a level; write debug, info, warn or error", token.String())
	}
	target.Set(reflect.ValueOf(level))
	return nil
}
