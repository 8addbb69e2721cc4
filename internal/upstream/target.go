package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// target is the URL of a call.
func (c *Client) target(call *gateway.Call) (*url.URL, error) {
	if climbs(call.Path) || c.vendor.Path != nil && climbs(call.Model) {
		return nil, &gateway.Error{Kind: wire.KindModelNotFound, Param: "model", Message: "the name of the model is not valid"}
	}
	if c.vendor.Path == nil {
		u := *c.base
		u.Path += call.Path
		return &u, nil
	}
	u, err := url.Parse(c.base.String() + c.vendor.Path(call))
	if err != nil {
		return nil, fmt.Errorf("building upstream request: %w", err)
	}
	return u, nil
}

// climbs reports whether name would climb out of its place in a path, to what
// the account can do besides, with the account's credential. Some servers take
// a backslash for a slash, or nothing of a segment behind a semicolon.
func climbs(name string) bool {
	if !strings.Contains(name, ".") {
		return false
	}
	for element := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if element, _, _ = strings.Cut(element, ";"); element == "." || element == ".." {
			return true
		}
	}
	return false
}

// Escape returns s as one segment of a path in which only what RFC 3986 calls
// unreserved stands for itself: AWS wants colons and slashes of names encoded.
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	clean := true
	for i := range len(s) {
		clean = clean && unreserved(s[i])
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		if unreserved(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '%', hex[s[i]>>4], hex[s[i]&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// EscapePath returns path, in which slashes divide, as it stands in a URL.
func EscapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// versioned reports whether a path ends in a version, such as /v1 or /v1beta.
func versioned(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return len(last) > 1 && last[0] == 'v' && '0' <= last[1] && last[1] <= '9'
}

// edit returns call with the body that the vendor wants.
func (c *Client) edit(call *gateway.Call) (*gateway.Call, error) {
	if call.Body == nil {
		return call, nil
	}
	body, err := io.ReadAll(call.Body)
	closeCall(call)
	if err != nil {
		return nil, fmt.Errorf("reading body: %w", err)
	}
	edited, err := c.vendor.Edit(call, body)
	if err != nil {
		return nil, err
	}
	if edited == nil {
		edited = body
	}
	changed := *call
	changed.Body, changed.Length = bytes.NewBuffer(edited), int64(len(edited))
	changed.GetBody = func() (io.ReadCloser, error) { return memory{bytes.NewBuffer(edited)}, nil }
	return &changed, nil
}

// unsigned words why a call could not be authorized. Nothing was sent, and
// what is missing is the gateway's to mend, not the client's.
func (c *Client) unsigned(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var known *gateway.Error
	if errors.As(err, &known) {
		return known
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "connect", Message: "the gateway could not get a credential for the upstream", Cause: err}
}

// closeBody keeps the promise that transports make: the body of a request is
// closed whatever becomes of it.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// closeCall does so for a call of which there is no request: who writes into its
// body, such as a form's, would wait for ever.
func closeCall(call *gateway.Call) {
	if closer, ok := call.Body.(io.Closer); ok {
		_ = closer.Close()
	}
}
