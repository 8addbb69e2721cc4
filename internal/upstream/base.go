package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// parseBase reads a base URL, or the address of a Unix socket in Caddy's form
// for network addresses, with the URL's path after a colon if there is one:
// `unix//run/llama.sock:/v1`. socket is empty but for the latter.
func parseBase(base string, vendor *Vendor) (u *url.URL, socket string, err error) {
	if strings.HasPrefix(base, "unix/") {
		if u, socket, err = parseSocket(base); err != nil {
			return nil, "", err
		}
	} else {
		u, err = url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, "", fmt.Errorf("base_url must be an http or https URL, got '%s'", base)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, "", errors.New("base_url must have no user, query or fragment")
		}
	}
	u.Host = strings.TrimSuffix(u.Host, ":") // an empty port
	u.Path = strings.TrimRight(u.Path, "/")
	for _, end := range vendor.Trim {
		if rest, ok := strings.CutSuffix(u.Path, end); ok {
			u.Path = rest
			break
		}
	}
	if vendor.Suffix != "" && !versioned(u.Path) {
		u.Path += vendor.Suffix
	}
	u.RawPath = ""
	return u, socket, nil
}

// parseSocket returns the URL that requests through a socket have, whose host
// nobody resolves, and the socket's path.
func parseSocket(base string) (*url.URL, string, error) {
	address, path := base, ""
	if i := strings.LastIndex(base, ":/"); i >= 0 {
		address, path = base[:i], base[i+1:]
	}
	network, socket, _, err := caddy.SplitNetworkAddress(address)
	if err != nil || network != "unix" || socket == "" || strings.Contains(socket, "|") {
		return nil, "", fmt.Errorf("base_url must name a socket as in unix//run/llama.sock:/v1, got '%s'", base)
	}
	u, err := url.Parse("http://localhost" + path)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", errors.New("base_url must have a plain path after the socket, without query or fragment")
	}
	return u, socket, nil
}
