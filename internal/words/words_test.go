package words

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// read reads one option and says what came of it.
func read(kind, line string) string {
	d := caddyfile.NewTestDispenser(line)
	d.Next()
	var (
		err   error
		value any
	)
	switch kind {
	case "duration":
		var v caddy.Duration
		err = Duration(d, &v)
		value = int64(v)
	case "count":
		var v int64
		err = Count(d, &v)
		value = v
	case "few":
		var v int
		err = Few(d, &v, 10)
		value = v
	case "number":
		var v *int
		if err = Number(d, &v); err == nil {
			value = *v
		}
	case "size":
		var v int64
		err = Size(d, &v)
		value = v
	case "range":
		var low, high *float64
		if err = Range(d, &low, &high); err == nil {
			value = fmt.Sprint(*low, " ", *high)
		}
	case "fraction":
		var v float64
		err = Fraction(d, &v, 0, 1)
		value = v
	case "word":
		var v string
		err = Word(d, &v)
		value = v
	case "list":
		v := []string{"before"}
		err = List(d, &v)
		value = v
	case "switch":
		var v bool
		err = Switch(d, &v)
		value = v
	case "choice":
		var v string
		err = Choice(d, &v, "all", "any")
		value = v
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(value)
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ kind, line, want string }{
		{"duration", "wait 1m30s", "90000000000"},
		{"duration", "wait 1d", "86400000000000"},
		{"duration", "wait off", "-1"},
		{"duration", "wait 0", "error: wait: '0' is no duration"},
		{"duration", "wait -1s", "error: wait: '-1s' is no duration"},
		{"duration", "wait 5", "error: wait: '5' is no duration; write for example 30s, or off"},
		{"duration", "wait", "error: wrong argument count"},
		{"duration", "wait 1s 2s", "error: wrong argument count"},
		{"count", "n 4096", "4096"},
		{"count", "n 0", "error: n: '0' is no whole number of at least 1"},
		{"count", "n 1.5", "error: n: '1.5'"},
		{"count", "n 99999999999999999999", "error: n: "},
		{"few", "n 10", "10"},
		{"few", "n 11", "error: n: 11 is more than 10"},
		{"few", "n 0", "error: n: '0' is no whole number of at least 1"},
		{"number", "n 0", "0"},
		{"number", "n 12", "12"},
		{"number", "n -1", "error: n: '-1' is no whole number"},
		{"number", "n x", "error: n: 'x' is no whole number"},
		{"number", "n", "error: wrong argument count"},
		{"size", "s 10MiB", "10485760"},
		{"size", "s 10MB", "10000000"},
		{"size", "s 1", "1"},
		{"size", "s 0", "error: s: '0' is no size"},
		{"size", "s -1MB", "error: s: "},
		{"size", "s 9EiB", "error: s: "},
		{"range", "t 0 1.5", "0 1.5"},
		{"range", "t 1 1", "1 1"},
		{"range", "t 2 1", "error: t: '2 1' is no range; write for example 0 1"},
		{"range", "t 0 NaN", "error: t: "},
		{"range", "t 0 Inf", "error: t: '0 Inf' is no range"},
		{"range", "t -Inf 1", "error: t: "},
		{"range", "t 1", "error: wrong argument count"},
		{"fraction", "f 0.95", "0.95"},
		{"fraction", "f 1", "1"},
		{"fraction", "f 1.1", "error: f: '1.1' is no number from 0 to 1"},
		{"fraction", "f -0.1", "error: f: '-0.1' is no number from 0 to 1"},
		{"fraction", "f NaN", "error: f: 'NaN' is no number"},
		{"fraction", "f", "error: wrong argument count"},
		{"word", "w a", "a"},
		{"word", `w ""`, "error: wrong argument count"},
		{"word", "w a b", "error: wrong argument count"},
		{"list", "l a b", "[before a b]"},
		{"list", "l", "error: wrong argument count"},
		{"switch", "s", "true"},
		{"switch", "s on", "true"},
		{"switch", "s off", "false"},
		{"switch", "s yes", "error: s takes 'on' or 'off'"},
		{"switch", "s on on", "error: s takes 'on' or 'off'"},
		{"choice", "c any", "any"},
		{"choice", "c some", "error: c: 'some' is none of [all any]"},
	} {
		if got := read(c.kind, c.line); got != c.want && !(strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.line, got, c.want)
		}
	}
}
