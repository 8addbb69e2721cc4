package accesslog

import (
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// What stands for a credential, and for the values of a header that is one.
const (
	redacted       = "REDACTED"
	redactedValues = `["` + redacted + `"]`
)

// secret reports whether a header carries a key of an AI vendor's API. Caddy knows
// nothing of these, and nobody needs them in a log.
func secret(name string) bool {
	switch len(name) {
	case len("Api-Key"):
		return strings.EqualFold(name, "Api-Key")
	case len("X-Api-Key"):
		return strings.EqualFold(name, "X-Api-Key")
	case len("X-Goog-Api-Key"):
		return strings.EqualFold(name, "X-Goog-Api-Key")
	}
	return false
}

// credential reports whether a header is one that Caddy hides unless its option
// log_credentials is on.
func credential(name string) bool {
	switch len(name) {
	case len("Cookie"):
		return strings.EqualFold(name, "Cookie")
	case len("Set-Cookie"):
		return strings.EqualFold(name, "Set-Cookie")
	case len("Authorization"):
		return strings.EqualFold(name, "Authorization")
	case len("Proxy-Authorization"):
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}

// header writes the members of a header, as Caddy does but without memory for each.
func (e *encoder) header(h caddyhttp.LoggableHTTPHeader) {
	for name, values := range h.Header {
		e.key(name)
		if secret(name) || !h.ShouldLogCredentials && credential(name) {
			e.b = append(e.b, redactedValues...)
			continue
		}
		e.b = append(e.b, '[')
		for i, v := range values {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.b = jsonscan.AppendString(e.b, v)
		}
		e.b = append(e.b, ']')
	}
}

// appendURI appends the URI of a request without the key that Google's clients put
// into its query.
func appendURI(dst []byte, uri string) []byte {
	path, query, ok := strings.Cut(uri, "?")
	if !ok || !strings.ContainsAny(query, "kK%") {
		return jsonscan.AppendString(dst, uri)
	}
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		name, _, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(name); err == nil && strings.EqualFold(plain, "key") {
			parameters[i] = name + "=" + redacted
		}
	}
	return jsonscan.AppendString(dst, path+"?"+strings.Join(parameters, "&"))
}
