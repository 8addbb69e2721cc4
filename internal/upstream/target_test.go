package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"gemini-2.5_pro~1":                                            "gemini-2.5_pro~1",
		"anthropic.claude-3-haiku-20240307-v1:0":                      "anthropic.claude-3-haiku-20240307-v1%3A0",
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/x": "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx",
		"a b?c#d%e+é": "a%20b%3Fc%23d%25e%2B%C3%A9",
		"":            "",
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestVersionedBase(t *testing.T) {
	vendor := &Vendor{Suffix: "/v1beta", Trim: []string{"/openai/v1", "/openai"}}
	for base, want := range map[string]string{
		"https://x":                "https://x/v1beta",
		"https://x/v1beta/":        "https://x/v1beta",
		"https://x/v1alpha":        "https://x/v1alpha",
		"https://x/v":              "https://x/v/v1beta",
		"https://x/vertex":         "https://x/vertex/v1beta",
		"https://x/team/openai":    "https://x/team/v1beta",
		"https://x/team/openai/v1": "https://x/team/v1beta",
	} {
		u, _, err := parseBase(base, vendor)
		if err != nil || u.String() != want {
			t.Errorf("%s: %v, %v, want %s", base, u, err, want)
		}
	}
}

// TestModelStaysInItsPlace holds that no name of a model reaches another
// resource of the account.
func TestModelStaysInItsPlace(t *testing.T) {
	vendor := Vendor{Path: func(call *gateway.Call) string { return "/models/" + call.Model + ":go?alt=sse" }}
	for model, ok := range map[string]bool{
		"m": true, "a/b": true, "m..n": true, "...": true, ".m": true, "m.": true, "a;..": true,
		"..": false, ".": false, "a/../b": false, "../x": false, "a/.": false, `..\x`: false, `a\..\..\x`: false, "..;/x": false, "..;a=b/x": false,
	} {
		client, transport := newClient(t, vendor)
		body := &told{Reader: strings.NewReader("{}")}
		res, err := client.Do(context.Background(), &gateway.Call{Method: http.MethodPost, Model: model, Body: body, Length: 2})
		if res != nil {
			_ = res.Body.Close()
		}
		if !ok && !body.closed {
			t.Errorf("%s: the body was not closed", model)
		}
		var e *gateway.Error
		switch {
		case ok && (err != nil || transport.req.URL.String() != "https://up.example/v1/models/"+model+":go?alt=sse"):
			t.Errorf("%s: %v", model, err)
		case !ok && (!errors.As(err, &e) || e.Kind != wire.KindModelNotFound || transport.req != nil):
			t.Errorf("%s: %v", model, err)
		}
		// Where one model is asked for, all vendors have its name in the path.
		for name, v := range map[string]Vendor{"plain": {}, "own paths": {Path: func(call *gateway.Call) string { return EscapePath(call.Path) }}} {
			client, transport := newClient(t, v)
			res, err := client.Do(context.Background(), &gateway.Call{Method: http.MethodGet, Path: "/models/" + model})
			if res != nil {
				_ = res.Body.Close()
			}
			if ok != (err == nil) || ok != (transport.req != nil) {
				t.Errorf("%s, %s: %v", name, model, err)
			}
		}
	}
}

// told is a body that says whether it was closed.
type told struct {
	io.Reader
	closed bool
}

func (b *told) Close() error {
	b.closed = true
	return nil
}

// closing is a body that says that it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestEdit(t *testing.T) {
	vendor := Vendor{Edit: func(call *gateway.Call, body []byte) ([]byte, error) {
		switch call.Model {
		case "keep":
			return nil, nil
		case "refuse":
			return nil, gateway.Invalid("x", "no")
		}
		return bytes.ToUpper(body), nil
	}}
	for model, want := range map[string]string{"keep": "abc", "change": "ABC", "refuse": ""} {
		client, transport := newClient(t, vendor)
		body := &closing{Reader: strings.NewReader("abc")}
		call := &gateway.Call{Method: http.MethodPost, Model: model, Body: body, Length: 3}
		res, err := client.Do(context.Background(), call)
		if res != nil {
			_ = res.Body.Close()
		}
		if (err != nil) != (want == "") || transport.body != want || !body.closed {
			t.Errorf("%s: body %q, closed %v, %v", model, transport.body, body.closed, err)
		}
		if err != nil {
			continue
		}
		edited, err := client.edit(&gateway.Call{Model: model, Body: strings.NewReader("abc"), Length: 3})
		if err != nil {
			t.Fatal(err)
		}
		again, err := edited.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := io.ReadAll(again); string(data) != want || transport.req.ContentLength != int64(len(want)) {
			t.Errorf("%s: once more %q of %d bytes", model, data, transport.req.ContentLength)
		}
	}
}

// TestUnsigned holds that a call without a credential is not sent, and that
// its client learns nothing of why.
func TestUnsigned(t *testing.T) {
	reason := errors.New("no such role: arn:aws:iam::1:role/x")
	client, transport := newClient(t, Vendor{Sign: func(*http.Request) error { return reason }})
	body := &closing{Reader: strings.NewReader("abc")}
	res, err := client.Do(context.Background(), &gateway.Call{Method: http.MethodPost, Body: body, Length: 3})
	if res != nil {
		_ = res.Body.Close()
	}
	var e *gateway.Error
	if !errors.As(err, &e) || e.Kind != wire.KindUpstream || !errors.Is(err, reason) || strings.Contains(e.Message, "role") {
		t.Errorf("error %v", err)
	}
	if transport.req != nil || !body.closed {
		t.Errorf("sent %v, closed %v", transport.req != nil, body.closed)
	}
}

func TestRedactHidesAllSecrets(t *testing.T) {
	client, _ := newClient(t, Vendor{Secrets: func() []secret.Secret {
		return []secret.Secret{secret.New("AKIA1"), {}, secret.New("session")}
	}})
	if got := string(client.Redact([]byte("sk-upstream AKIA1 x session"))); got != "*** *** x ***" {
		t.Error(got)
	}
}
