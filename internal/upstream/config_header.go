package upstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/internal/http1"
	"github.com/weirproxy/weir/internal/secret"
)

// credentialFields are those whose values are secrets.
var credentialFields = []string{"Authorization", "Proxy-Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie"}

// ownFields are those that belong to a call: what a configuration says of them
// would not be sent.
var ownFields = []string{"Host", "Content-Length", "Transfer-Encoding"}

// checkHeader refuses a field that no call could be sent with, and a secret that
// the configuration would show.
func checkHeader(name, value string) error {
	if !http1.ValidField(name, value) {
		return fmt.Errorf("header %.100q: it is no name of a header field, or its value has a line break", name)
	}
	canonical := http.CanonicalHeaderKey(name)
	for _, field := range ownFields {
		if canonical == field {
			return fmt.Errorf("header %s: it is made for each call", name)
		}
	}
	for _, field := range credentialFields {
		if canonical == field && !strings.Contains(value, "{") {
			return fmt.Errorf("header %s: what is secret in it %w", name, secret.ErrLiteral)
		}
	}
	return nil
}

// resolveHeaders are the fields that are set on every call.
func (c *Config) resolveHeaders(replace func(string) (string, error)) (map[string]string, error) {
	if len(c.Headers) == 0 {
		return nil, nil
	}
	fields := make(map[string]string, len(c.Headers))
	for name, value := range c.Headers {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
		value, err := replace(value)
		if err != nil {
			return nil, fmt.Errorf("resolving header %s: %w", name, err)
		}
		if !http1.ValidField(name, value) {
			return nil, fmt.Errorf("resolving header %s: the value has a line break", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		if _, ok := fields[canonical]; ok {
			return nil, fmt.Errorf("header %s is given twice", canonical)
		}
		fields[canonical] = value
	}
	return fields, nil
}
