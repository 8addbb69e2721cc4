package keys

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrConflict says that a request brings two different credentials. Which one
// counts would be a guess, and proxies on the way may guess otherwise.
var ErrConflict = errors.New("the request has two different keys")

// Place says where a request had its credential.
type Place string

// The places, in the order in which they are looked at.
const (
	NoPlace       Place = ""
	Authorization Place = "Authorization"
	XAPIKey       Place = "x-api-key"
	XGoogAPIKey   Place = "x-goog-api-key"
	APIKey        Place = "api-key"
	Query         Place = "?key="
)

// headers are the credential headers other than Authorization, in canonical
// form for direct look-up.
var headers = []struct {
	name  string
	place Place
}{
	{"X-Api-Key", XAPIKey},
	{"X-Goog-Api-Key", XGoogAPIKey},
	{"Api-Key", APIKey},
}

// Extract returns the credential that a request brings and the first place
// that has it; empty when there is none. The same credential may stand in
// several places, and empty ones do not count: SDKs send both. Authorization
// of a scheme other than Bearer is not Weir's. Two different credentials are
// [ErrConflict].
func Extract(h http.Header, rawQuery string) (credential string, place Place, err error) {
	found := func(value string, at Place) bool {
		value = strings.Trim(value, " \t")
		switch {
		case value == "" || value == credential:
		case credential != "":
			return false
		default:
			credential, place = value, at
		}
		return true
	}
	for _, value := range h["Authorization"] {
		if token, ok := bearer(value); ok && !found(token, Authorization) {
			return "", NoPlace, ErrConflict
		}
	}
	for _, header := range headers {
		for _, value := range h[header.name] {
			if !found(value, header.place) {
				return "", NoPlace, ErrConflict
			}
		}
	}
	for rawQuery != "" {
		var pair string
		pair, rawQuery, _ = strings.Cut(rawQuery, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name != "key" && !escapedKey(name) {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			// net/url drops such a pair; it is no credential for anybody.
			continue
		}
		if !found(value, Query) {
			return "", NoPlace, ErrConflict
		}
	}
	return credential, place, nil
}

// escapedKey reports whether name is "key" with escapes in it.
func escapedKey(name string) bool {
	if !strings.Contains(name, "%") || len(name) > 3*len("key") {
		return false
	}
	name, err := url.QueryUnescape(name)
	return err == nil && name == "key"
}

// bearer returns the token of an Authorization header. The scheme's case does
// not count (RFC 9110, section 11.1).
func bearer(value string) (string, bool) {
	const scheme = "bearer"
	value = strings.TrimLeft(value, " \t")
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	rest := value[len(scheme):]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return rest, true
}
