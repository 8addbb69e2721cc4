package accesslog

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// TestCredentials holds that no key of an AI client is in a line, however it is
// spelled, and whatever stands around the format.
func TestCredentials(t *testing.T) {
	header := http.Header{"X-Api-Key": {"s3cret"}, "api-key": {"s3cret", "s3cret"}, "X-GOOG-API-KEY": {"s3cret"}, "X-Api-Kez": {"shown"}, "Authorization": {"Bearer s3cret"}}
	ours, _ := both(t, logging.LogEncoderConfig{})
	around := &logging.FilterEncoder{WrappedRaw: []byte(`{"format":"ai"}`)}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := around.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]zapcore.Encoder{"alone": ours, "wrapped": around} {
		for _, uri := range []string{"/v1beta/models?key=s3cret", "/a?b=1&KEY=s3cret&c", "/?k%65y=s3cret", "/?a=b&key=s3cret&key=s3cret"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RequestURI, r.Header = uri, header
			with := e.Clone()
			zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r}).AddTo(with)
			text := line(t, with, zapcore.Entry{}, zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: header}))
			if strings.Contains(text, "s3cret") || strings.Count(text, "REDACTED") < 9 || strings.Count(text, "shown") != 2 {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

// TestURI holds what is left of a query.
func TestURI(t *testing.T) {
	for uri, want := range map[string]string{
		"/a":                        `"/a"`,
		"/a?":                       `"/a?"`,
		"/a?x=1&monkey=2":           `"/a?x=1&monkey=2"`,
		"/a?alt=sse&key=1&x=%zz&k=": `"/a?alt=sse&key=REDACTED&x=%zz&k="`,
		"/a?key":                    `"/a?key=REDACTED"`,
		"/?key=a=b?c":               `"/?key=REDACTED"`,
	} {
		if got := string(appendURI(nil, uri)); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

// TestLoggersAreApart holds that a logger's fields are its own, and those of the
// logger that it was made from.
func TestLoggersAreApart(t *testing.T) {
	e, _ := both(t, logging.LogEncoderConfig{TimeKey: new(string), LevelKey: new(string)})
	parent := e.Clone()
	if err := parent.AddObject("o", object{zap.String("a", "1")}); err != nil { // which leaves room
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, id := range []string{"x", "y", "z"} {
		group.Go(func() {
			for range 200 {
				child := parent.Clone()
				child.AddString("id", strings.Repeat(id, 100))
				got := line(t, child, zapcore.Entry{Message: id}, zap.String("end", id))
				want := `{"msg":"` + id + `","o":{"a":"1"},"id":"` + strings.Repeat(id, 100) + `","end":"` + id + `"}` + "\n"
				if got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
	group.Wait()
	if got, want := line(t, parent, zapcore.Entry{Message: "m"}), `{"msg":"m","o":{"a":"1"}}`+"\n"; got != want {
		t.Errorf("the parent: %s, want %s", got, want)
	}
}

func TestCaddyfile(t *testing.T) {
	var f Format
	if err := f.UnmarshalCaddyfile(caddyfile.NewTestDispenser("ai {\n time_format rfc3339\n time_local\n}")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(logging.LogEncoderConfig{TimeFormat: "rfc3339", TimeLocal: true}, f.LogEncoderConfig); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"ai json", "ai {\n keys hidden\n}"} {
		if err := new(Format).UnmarshalCaddyfile(caddyfile.NewTestDispenser(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
