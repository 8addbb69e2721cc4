package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestBaseURL(t *testing.T) {
	for _, c := range []struct{ base, suffix, want string }{
		{"https://api.openai.com/v1", "", "https://api.openai.com/v1"},
		{"https://api.openai.com/v1/", "", "https://api.openai.com/v1"},
		{"http://127.0.0.1:8000", "", "http://127.0.0.1:8000"},
		{"https://api.anthropic.com", "/v1", "https://api.anthropic.com/v1"},
		{"https://api.anthropic.com/v1//", "/v1", "https://api.anthropic.com/v1"},
		{"https://gw.example/team/a", "/v1", "https://gw.example/team/a/v1"},
		{"http://[::1]:8000/v1", "", "http://[::1]:8000/v1"},
		{"api.openai.com/v1", "", "error: base_url must be an http or https URL, got 'api.openai.com/v1'"},
		{"ftp://x", "", "error: base_url must be an http or https URL, got 'ftp://x'"},
		{"https:///v1", "", "error: base_url must be an http or https URL, got 'https:///v1'"},
		{"https://me:pw@x/v1", "", "error: base_url must have no user, query or fragment"},
		{"https://x/v1?key=1", "", "error: base_url must have no user, query or fragment"},
		{"https://x/v1#a", "", "error: base_url must have no user, query or fragment"},
	} {
		var got string
		if u, _, err := parseBase(c.base, &Vendor{Suffix: c.suffix}); err != nil {
			got = "error: " + err.Error()
		} else {
			got = u.String()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.base, got, c.want)
		}
	}
}

// recorder is a transport that keeps what it was asked.
type recorder struct {
	req  *http.Request
	body string
	err  error
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.req = req
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.body = string(data)
	}
	if r.err != nil {
		return nil, r.err
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

func newClient(t *testing.T, vendor Vendor) (*Client, *recorder) {
	t.Helper()
	transport := new(recorder)
	c, err := NewClient(vendor, "https://up.example/v1", transport)
	if err != nil {
		t.Fatal(err)
	}
	c.accounts = []account{{name: "key-1", key: secret.New("sk-upstream")}}
	return c, transport
}

// TestHeader holds that a client's header goes on only where the vendor's
// protocol names it: an allow-list, so that what is not thought of stays.
func TestHeader(t *testing.T) {
	c, transport := newClient(t, Vendor{
		Authorize: Bearer, Forward: []string{"Openai-", "X-Title"},
		Defaults: map[string]string{"Openai-Version": "2020", "Openai-Beta": "none"},
	})
	c.headers = map[string]string{"Openai-Project": "ours", "X-Static": "1"}
	call := &gateway.Call{
		Operation: wire.Chat, Path: "/chat/completions", Method: http.MethodPost, ContentType: "application/json", Stream: true,
		Body: strings.NewReader("{}"), Length: 2,
		Header: http.Header{
			"Authorization": {"Bearer sk-client"}, "X-Api-Key": {"sk-client"}, "Api-Key": {"sk-client"}, "X-Goog-Api-Key": {"sk-client"},
			"Proxy-Authorization": {"x"}, "Cookie": {"a=b"}, "X-Forwarded-For": {"10.1.1.1"}, "Forwarded": {"for=x"}, "Via": {"x"},
			"Idempotency-Key": {"i"}, "X-Idempotency-Key": {"i"}, "Connection": {"upgrade"}, "Upgrade": {"h2c"}, "Te": {"trailers"},
			"Accept-Encoding": {"gzip"}, "User-Agent": {"sdk"}, "Traceparent": {"00-x"}, "X-Request-Id": {"mine"}, "Content-Encoding": {"gzip"},
			"Anthropic-Beta": {"x"}, "Openai-Beta": {"assistants=v2"}, "Openai-Project": {"theirs"}, "X-Title": {"app"}, "Range": {"bytes=0-"},
			"X-Stainless-Lang": {"go"}, "Expect": {"100-continue"}, "Host": {"evil"},
		},
	}
	res, err := c.Do(context.Background(), call)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	want := http.Header{
		"Accept": {"text/event-stream"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer sk-upstream"},
		"Content-Type": {"application/json"}, "Openai-Beta": {"assistants=v2"}, "Openai-Project": {"ours"}, "Openai-Version": {"2020"},
		"User-Agent": {userAgent}, "X-Static": {"1"}, "X-Title": {"app"},
	}
	if diff := cmp.Diff(want, transport.req.Header); diff != "" {
		t.Errorf("header (-want +got)\n%s", diff)
	}
	if got := transport.req.URL.String(); got != "https://up.example/v1/chat/completions" || transport.req.Host != "up.example" {
		t.Errorf("URL %s, host %s", got, transport.req.Host)
	}
	if transport.body != "{}" || transport.req.ContentLength != 2 {
		t.Errorf("body %q of %d bytes", transport.body, transport.req.ContentLength)
	}
	if call.Header.Get("Authorization") != "Bearer sk-client" {
		t.Error("the client's own header was changed")
	}
	var matter []string
	for name, values := range call.Header {
		if c.Matters(name, values) {
			matter = append(matter, name)
		}
	}
	slices.Sort(matter)
	if diff := cmp.Diff([]string{"Openai-Beta", "X-Title"}, matter); diff != "" {
		t.Errorf("what matters (-want +got)\n%s", diff)
	}
	if c.Matters("Openai-Beta", []string{"none"}) || !c.Matters("Openai-Beta", []string{"none", "none"}) || !c.Matters("Openai-Beta", nil) {
		t.Error("what would go out anyway")
	}
}

// timeout is a network error that says so.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout at 10.0.0.7:443" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestErrorWording(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		kind    wire.Kind
		phase   string
		message string
	}{
		{"TLS", errors.New("tls: first record does not look like a TLS handshake"), wire.KindUpstream, "tls", "the TLS handshake with the upstream failed"},
		{"certificate", errors.New("x509: certificate is valid for a.internal, not b.internal"), wire.KindUpstream, "tls", "the TLS handshake with the upstream failed"},
		{"read timeout", timeout{}, wire.KindTimeout, "round_trip", "the upstream did not answer in time"},
		{"closed", io.EOF, wire.KindUpstream, "round_trip", "the upstream closed the connection before it answered"},
		{"not HTTP", fmt.Errorf("net/http: HTTP/1.x transport connection broken: malformed HTTP status code"), wire.KindUpstream, "round_trip", "the upstream's answer is not valid HTTP"},
		{"reset", errors.New("read tcp 10.0.0.1:1->10.0.0.7:443: connection reset by peer"), wire.KindUpstream, "round_trip", "the upstream closed the connection before it answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, transport := newClient(t, Vendor{})
			transport.err = c.err
			res, err := client.Do(context.Background(), &gateway.Call{Method: http.MethodPost})
			if res != nil {
				_ = res.Body.Close()
			}
			var e *gateway.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Phase != c.phase || e.Message != c.message || !errors.Is(e, c.err) {
				t.Errorf("%#v, want %s in %s: %s", err, c.kind, c.phase, c.message)
			}
		})
	}
}

// TestCauseBeatsTransport holds that a call which was ended on purpose reports
// the purpose, not the transport's words for it.
func TestCauseBeatsTransport(t *testing.T) {
	client, transport := newClient(t, Vendor{})
	transport.err = context.Canceled
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gateway.ErrFirstToken)
	res, err := client.Do(ctx, &gateway.Call{Method: http.MethodPost})
	if res != nil {
		_ = res.Body.Close()
	}
	if err != error(gateway.ErrFirstToken) {
		t.Errorf("%v", err)
	}
}

func TestVendor(t *testing.T) {
	c, _ := newClient(t, Vendor{Operations: []*wire.Operation{wire.Chat}, Prefixes: []string{"gpt-", "o1"}, Traits: gateway.Traits{CapParam: "x"}})
	if !c.Speaks(wire.Chat) || c.Speaks(wire.Messages) || !c.Owns("gpt-4") || !c.Owns("o1") || c.Owns("claude") || c.Owns("") || c.Traits().CapParam != "x" {
		t.Error("the client does not do as its vendor")
	}
}

func TestRedact(t *testing.T) {
	c, _ := newClient(t, Vendor{})
	if got := string(c.Redact([]byte(`bad key sk-upstream, "sk-upstream"`))); got != `bad key ***, "***"` {
		t.Error(got)
	}
	c.accounts[0].key = secret.Secret{}
	if got := string(c.Redact([]byte("text"))); got != "text" {
		t.Error(got)
	}
}

func TestProbe(t *testing.T) {
	for base, want := range map[string]bool{"http://127.0.0.1:1": true, "http://[::1]": true, "http://nobody.invalid": false} {
		u, _, err := parseBase(base, new(Vendor))
		if err != nil {
			t.Fatal(err)
		}
		c := &Client{base: u}
		for range 2 {
			if err := c.Probe(context.Background()); (err == nil) != want {
				t.Errorf("%s: %v", base, err)
			}
		}
	}
}

// TestProbeOutlivesItsAsker holds that a health check whose client leaves does
// not make the next ones believe that the name is gone.
func TestProbeOutlivesItsAsker(t *testing.T) {
	lookups := 0
	p := probe{lookup: func(ctx context.Context, _ string) ([]string, error) {
		lookups++
		return nil, ctx.Err()
	}}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{gone, context.Background()} {
		if err := p.do(ctx, "up.example"); err != nil {
			t.Error(err)
		}
	}
	if lookups != 1 {
		t.Errorf("%d lookups, want one for both", lookups)
	}
}
