package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const value = "sk-very-secret"

// TestCannotBePrinted tries every way in which Go prints a value by accident.
func TestCannotBePrinted(t *testing.T) {
	s := New(value)
	holder := struct {
		Name string
		Key  Secret
		Ptr  *Secret
		List []Secret
	}{"x", s, &s, []Secret{s}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "key", s, "holder", holder)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "key", s)
	marshalled, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), fmt.Sprintf("%v %+v %#v", holder, holder, holder),
		fmt.Sprintf("%v %s %x", []Secret{s}, map[string]Secret{"a": s}, &s), string(marshalled), logged.String(),
		fmt.Errorf("wrong key %v", s).Error(),
	} {
		if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) {
			t.Errorf("printed: %s", text)
		}
	}
	if s.Reveal() != value || s.IsZero() || !(Secret{}).IsZero() {
		t.Error("the secret is not kept")
	}
}

func TestCheckReference(t *testing.T) {
	for reference, ok := range map[string]bool{
		"{env.KEY}": true, "{file./run/key}": true,
		"": false, "sk-abc": false, "{env.A}{env.B}": false, "Bearer {env.A}": false, "{env.A} ": false, "{": false,
	} {
		if err := CheckReference(reference); (err == nil) != ok {
			t.Errorf("%q: %v", reference, err)
		} else if err != nil && !errors.Is(err, ErrLiteral) {
			t.Errorf("%q: %v", reference, err)
		}
	}
}

// TestExpand holds that what is missing is named, and nothing that is not.
func TestExpand(t *testing.T) {
	t.Setenv("WEIR_SECRET", value)
	t.Setenv("WEIR_BLANK", "")
	for _, c := range []struct{ text, want string }{
		{"redis://:{env.WEIR_SECRET}@db", "redis://:" + value + "@db"},
		{"redis://db", "redis://db"},
		{"redis://:{env.WEIR_SECRET}@{env.WEIR_UNSET}", "error: {env.WEIR_UNSET} is not set or empty"},
		{"{env.WEIR_BLANK}", "error: {env.WEIR_BLANK} is not set or empty"},
		{"{nothing}", "error: {nothing} is not set or empty"},
	} {
		got, err := Expand(c.text)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Setenv("WEIR_SECRET", value)
	t.Setenv("WEIR_BLANK", " \n")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reference, problem string
	}{
		{"{env.WEIR_SECRET}", ""},
		{"{file." + file + "}", ""},
		{"{env.WEIR_UNSET}", "resolving {env.WEIR_UNSET}: "},
		{"{env.WEIR_BLANK}", "resolving {env.WEIR_BLANK}: it is empty"},
		{"{file.//nonexistent/key}", "the file cannot be read"},
		{"{unknown.thing}", "resolving {unknown.thing}: "},
		{value, "must be a placeholder"},
	} {
		s, err := Resolve(c.reference)
		switch {
		case c.problem == "" && (err != nil || s.Reveal() != value):
			t.Errorf("%s: %q, %v", c.reference, s.Reveal(), err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem) || !s.IsZero()):
			t.Errorf("%s: %v, want %s", c.reference, err, c.problem)
		case err != nil && strings.Contains(err.Error(), value):
			t.Errorf("%s: the error has the secret", c.reference)
		}
	}
}
