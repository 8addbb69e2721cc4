// Package secret holds credentials so that they cannot be printed by
// accident: not by fmt, not by a logger, not as JSON.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// mask stands where a secret would be printed.
const mask = "***"

// Secret is a credential. Its zero value is no credential.
type Secret struct {
	value string
}

// New wraps a credential.
func New(value string) Secret { return Secret{value} }

// Reveal returns the credential itself: for the header it belongs in.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s.value == "" }

// String hides the credential.
func (Secret) String() string { return mask }

// Format hides the credential from fmt whatever the verb: %d and the like
// would print the fields of a struct that has only a String method.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// MarshalJSON hides the credential.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// LogValue hides the credential from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// ErrLiteral says that a configuration holds a secret itself.
var ErrLiteral = errors.New("must be a placeholder such as {env.NAME} or {file./path}, since Caddy's admin API and autosave file show literal values")

// CheckReference refuses a value that is not one placeholder.
func CheckReference(value string) error {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") && strings.Count(value, "{") == 1 {
		return nil
	}
	return ErrLiteral
}

// CheckPassword is CheckReference for a password that is a part of a value.
func CheckPassword(password string) error {
	if err := CheckReference(password); err != nil {
		return fmt.Errorf("a password %w", err)
	}
	return nil
}

// Expand replaces the placeholders of a text. One that is not set, or is empty, is an
// error that names it and never what else the text holds.
func Expand(text string) (string, error) {
	repl := caddy.NewReplacer()
	all, err := repl.ReplaceOrErr(text, true, true)
	for rest := text; err != nil; {
		_, after, begun := strings.Cut(rest, "{")
		name, behind, ended := strings.Cut(after, "}")
		if !begun || !ended {
			return "", errors.New("a placeholder in it is not set or empty")
		}
		if _, wrong := repl.ReplaceOrErr("{"+name+"}", true, true); wrong != nil {
			return "", fmt.Errorf("{%s} is not set or empty", name)
		}
		rest = behind
	}
	return all, nil
}

// Resolve reads the secret that a placeholder stands for. An unset variable,
// an unreadable file and an empty value are errors that name the placeholder
// and never the value.
func Resolve(reference string) (Secret, error) {
	if err := CheckReference(reference); err != nil {
		return Secret{}, err
	}
	value, err := caddy.NewReplacer().ReplaceOrErr(reference, true, true)
	if err != nil {
		return Secret{}, fmt.Errorf("resolving %s: the variable is not set or the file cannot be read", reference)
	}
	value = strings.TrimSpace(value)
	if value == "" || value == reference {
		return Secret{}, fmt.Errorf("resolving %s: it is empty or not known", reference)
	}
	return Secret{value}, nil
}
