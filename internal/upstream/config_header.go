package upstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/http1"
	"github.com/weirproxy/weir/internal/secret"
)

// ownFields are those that belong to a call: what a configuration says of them
// would not be sent.
var ownFields = []string{"Host", "Content-Length", "Transfer-Encoding"}

// carriesSecret reports whether a field is by its name one that has a credential.
func carriesSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range [...]string{"authorization", "api-key", "apikey", "subscription-key", "secret", "password", "credential", "cookie"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "-auth") || strings.HasSuffix(name, "-token")
}

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
	if carriesSecret(name) && !strings.Contains(value, "{") {
		return fmt.Errorf("header %s: what is secret in it %w", name, secret.ErrLiteral)
	}
	return nil
}

// setHeaders resolves the fields that are set on every call, and notes what of them
// is to be hidden.
func (c *Client) setHeaders(headers map[string]string, repl *caddy.Replacer) error {
	if len(headers) == 0 {
		return nil
	}
	c.headers = make(map[string]string, len(headers))
	for name, value := range headers {
		if err := checkHeader(name, value); err != nil {
			return err
		}
		value, err := repl.ReplaceOrErr(value, true, true)
		if err != nil {
			return fmt.Errorf("resolving header %s: %w", name, err)
		}
		if !http1.ValidField(name, value) {
			return fmt.Errorf("resolving header %s: the value has a line break", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		if _, ok := c.headers[canonical]; ok {
			return fmt.Errorf("header %s is given twice", canonical)
		}
		c.headers[canonical] = value
		if carriesSecret(name) {
			_, credential, scheme := strings.Cut(value, " ")
			if !scheme {
				credential = value
			}
			c.hidden = append(c.hidden, secret.New(credential))
		}
	}
	return nil
}
