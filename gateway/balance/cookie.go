package balance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Cookie is the policy `cookie`: a new session goes where another policy says,
// and its client gets a cookie that leads it there again. The cookie's value is
// an HMAC of the candidate's name.
type Cookie struct {
	name     string
	secret   []byte
	maxAge   time.Duration
	fallback Policy

	// known are the values by candidate; a request never waits for another.
	known atomic.Pointer[map[string]string]
}

// NewCookie returns the policy `cookie`. The cookie lasts for the browser's
// session when maxAge is 0.
func NewCookie(name, secret string, maxAge time.Duration, fallback Policy) *Cookie {
	p := &Cookie{name: name, secret: []byte(secret), maxAge: maxAge, fallback: fallback}
	p.known.Store(&map[string]string{})
	return p
}

// Pick implements Policy.
func (p *Cookie) Pick(candidates []Candidate, r *Request) int {
	if value := cookieValue(r.Header["Cookie"], p.name); len(value) == hex.EncodedLen(sha256.Size) {
		for i := range candidates {
			if equal(p.value(candidates[i].Name), value) {
				return i
			}
		}
	}
	picked := p.fallback.Pick(candidates, r)
	if r.Cookies != nil {
		r.Cookies.SetCookie(p.cookie(candidates[picked].Name, r.Secure))
	}
	return picked
}

func (p *Cookie) cookie(candidate string, secure bool) *http.Cookie {
	cookie := &http.Cookie{
		Name: p.name, Value: p.value(candidate), Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: int(p.maxAge.Seconds()),
	}
	if secure {
		// Browsers take None only with Secure; it lets other sites' pages keep
		// their session.
		cookie.Secure, cookie.SameSite = true, http.SameSiteNoneMode
	}
	return cookie
}

// maxKnown bounds the values that are kept: where a target holds a `*`, clients
// make names up.
const maxKnown = 1024

// value is what the cookie holds for a candidate.
func (p *Cookie) value(candidate string) string {
	known := p.known.Load()
	if value, ok := (*known)[candidate]; ok {
		return value
	}
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte(candidate))
	value := hex.EncodeToString(mac.Sum(nil))
	if len(*known) < maxKnown {
		grown := maps.Clone(*known)
		grown[candidate] = value
		p.known.CompareAndSwap(known, &grown) // who loses adds its own next time
	}
	return value
}

// cookieValue finds a cookie in the lines of a request's Cookie field, as
// net/http does but without an allocation.
func cookieValue(lines []string, name string) string {
	for _, line := range lines {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok || key != name {
				continue
			}
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			return value
		}
	}
	return ""
}

// equal compares two strings of the same length in a time that does not tell
// where they differ. crypto/subtle would need copies.
func equal(a, b string) bool {
	var different byte
	for i := range len(a) {
		different |= a[i] ^ b[i]
	}
	return different == 0
}

// Interface guards.
var _ Policy = (*Cookie)(nil)
