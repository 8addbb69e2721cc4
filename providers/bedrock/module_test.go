package bedrock

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// bare empties the environment of what AWS's chain reads.
func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", bearerVariable,
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
}

func unmarshal(block string) (*Provider, error) {
	p := new(Provider)
	return p, p.UnmarshalCaddyfile(caddyfile.NewTestDispenser("bedrock {\n" + block + "\n}"))
}

func provision(t *testing.T, block string) (*Provider, error) {
	t.Helper()
	p, err := unmarshal(block)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return p, p.Provision(ctx)
}

// server records one request at a time.
type server struct {
	*httptest.Server
	seen *http.Request
	body string
}

func newUpstream(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	u := new(server)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		u.seen, u.body = r, string(data)
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func converse(model string, stream bool) *gateway.Call {
	const body = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
	return &gateway.Call{
		Operation: wire.Converse, Path: wire.Converse.Path, Model: model, Method: http.MethodPost, Stream: stream,
		Header:      http.Header{"Authorization": {"Bearer theirs"}, "X-Amz-Security-Token": {"theirs"}},
		ContentType: "application/json", Body: strings.NewReader(body), Length: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil },
	}
}

func TestPath(t *testing.T) {
	for _, c := range []struct {
		op     *wire.Operation
		model  string
		stream bool
		want   string
	}{
		{wire.Converse, "anthropic.claude-3-haiku-20240307-v1:0", false, "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"},
		{wire.Converse, "us.amazon.nova-lite-v1:0", true, "/model/us.amazon.nova-lite-v1%3A0/converse-stream"},
		{wire.Converse, "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x", true, "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.x/converse-stream"},
		{wire.InvokeEmbed, "amazon.titan-embed-text-v2:0", true, "/model/amazon.titan-embed-text-v2%3A0/invoke"},
	} {
		if got := path(&gateway.Call{Operation: c.op, Model: c.model, Stream: c.stream}); got != c.want {
			t.Errorf("%s: %s, want %s", c.model, got, c.want)
		}
	}
	for region, want := range map[string]string{
		"us-east-1": "https://bedrock-runtime.us-east-1.amazonaws.com", "cn-north-1": "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
		"us-gov-west-1": "https://bedrock-runtime.us-gov-west-1.amazonaws.com",
	} {
		if got := endpoint(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}

// TestSignedCalls holds that whatever names the credentials, a server that
// checks signatures accepts the call.
func TestSignedCalls(t *testing.T) {
	const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"
	files := t.TempDir()
	shared := filepath.Join(files, "credentials")
	content := "[work]\naws_access_key_id = " + exampleID + "\naws_secret_access_key = " + exampleSecret + "\n"
	if err := os.WriteFile(shared, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	profiles := filepath.Join(files, "config")
	if err := os.WriteFile(profiles, []byte("[profile work]\nregion = eu-central-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, block   string
		env           map[string]string
		region, token string
	}{
		{"options", "region us-west-2\naccess_key_id {env.ID}\nsecret_access_key {env.SECRET}", map[string]string{"ID": exampleID, "SECRET": exampleSecret}, "us-west-2", ""},
		{"temporary", "access_key_id {env.ID}\nsecret_access_key {env.SECRET}\nsession_token {env.SESSION}", map[string]string{"ID": exampleID, "SECRET": exampleSecret, "SESSION": "tok+en/==", "AWS_DEFAULT_REGION": "ap-south-1"}, "ap-south-1", "tok+en/=="},
		{"environment", "", map[string]string{"AWS_ACCESS_KEY_ID": exampleID, "AWS_SECRET_ACCESS_KEY": exampleSecret, "AWS_SESSION_TOKEN": "s", "AWS_REGION": "us-east-1"}, "us-east-1", "s"},
		{"profile", "profile {env.WHOSE}", map[string]string{"WHOSE": "work", "AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": profiles}, "eu-central-1", ""},
		{"profile beats bearer", "profile work", map[string]string{bearerVariable: "b", "AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": profiles}, "eu-central-1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			up := newUpstream(t, nil)
			p, err := provision(t, c.block+"\nbase_url "+up.URL)
			if err != nil {
				t.Fatal(err)
			}
			for _, model := range []string{arn, "amazon.nova-lite-v1:0", "a b+é"} {
				res, err := p.Do(t.Context(), converse(model, false))
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				signed, err := verifier{exampleSecret, c.region, "bedrock"}.verify(up.seen, up.body)
				if err != nil {
					t.Fatal(err)
				}
				want := []string{"content-length", "content-type", "host", "x-amz-date"}
				if c.token != "" {
					want = append(want, "x-amz-security-token")
				}
				if diff := cmp.Diff(want, signed); diff != "" {
					t.Errorf("signed headers (-want +got)\n%s", diff)
				}
				if got := up.seen.Header.Get("X-Amz-Security-Token"); got != c.token {
					t.Errorf("session token %q", got)
				}
			}
			quoted := "The Canonical String should have been x-amz-security-token:" + c.token + " of " + exampleID + exampleSecret
			for _, hidden := range []string{exampleID, exampleSecret, c.token} {
				if hidden != "" && hidden != "s" && strings.Contains(string(p.Redact([]byte(quoted))), hidden) {
					t.Errorf("%s is not hidden", hidden)
				}
			}
			if text := fmt.Sprintf("%+v %s %s %s", p.Config, p.AccessKeyID, p.SecretAccessKey, p.SessionToken); strings.Contains(text, exampleID) || strings.Contains(text, exampleSecret) {
				t.Errorf("the configuration shows %s", text)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	for _, c := range []struct{ name, block, env string }{
		{"option", "api_key {env.MINE}", "MINE"},
		{"environment", "", bearerVariable},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t)
			t.Setenv(c.env, "bedrock-api-key")
			up := newUpstream(t, nil)
			p, err := provision(t, c.block+"\nbase_url "+up.URL)
			if err != nil {
				t.Fatal(err)
			}
			res, err := p.Do(t.Context(), converse("m", false))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if h := up.seen.Header; h.Get("Authorization") != "Bearer bedrock-api-key" || h.Get("X-Amz-Date") != "" || h.Get("X-Amz-Security-Token") != "" {
				t.Errorf("header %v", h)
			}
		})
	}
}

// TestStream holds that frames come out as events, one by one.
func TestStream(t *testing.T) {
	bare(t)
	t.Setenv(bearerVariable, "k")
	first := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", streamType)
		_, _ = w.Write(eventstream.AppendEvent(nil, "messageStart", []byte(`{"role":"assistant"}`)))
		_ = http.NewResponseController(w).Flush()
		<-first
		_, _ = w.Write(eventstream.AppendException(nil, "throttlingException", []byte(`{"message":"slow down"}`)))
	})
	p, err := provision(t, "base_url "+up.URL)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Do(t.Context(), converse("m", true))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := up.seen.RequestURI + " " + up.seen.Header.Get("Accept"); got != "/model/m/converse-stream "+streamType {
		t.Error(got)
	}
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" || res.ContentLength != -1 {
		t.Errorf("Content-Type %s, length %d", ct, res.ContentLength)
	}
	want := "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	close(first)
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "event: throttlingException\ndata: {\"message\":\"slow down\"}\n\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestErrorAnswer holds that what is no stream comes as it is.
func TestErrorAnswer(t *testing.T) {
	bare(t)
	t.Setenv(bearerVariable, "k")
	up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", "ThrottlingException:http://internal.amazon.com/")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"message":"Too many tokens"}`)
	})
	p, err := provision(t, "base_url "+up.URL)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Do(t.Context(), converse("m", true))
	if err != nil {
		t.Fatal(err)
	}
	data, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 429 || string(data) != `{"message":"Too many tokens"}` || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", res.StatusCode, data)
	}
}

func TestRefused(t *testing.T) {
	bare(t)
	t.Setenv("ID", "x")
	for block, want := range map[string]string{
		"":                 "region is required",
		"api_key {env.ID}": "region is required",
		"access_key_id {env.ID}\nsecret_access_key {env.ID}":                              "region is required",
		"region eu-west-1\naccess_key_id {env.ID}":                                        "access_key_id and secret_access_key need each other",
		"region eu-west-1\nsession_token {env.ID}":                                        "access_key_id and secret_access_key need each other",
		"region eu-west-1\nprofile a\napi_key {env.ID}":                                   "api_key and other credentials exclude each other",
		"region eu-west-1\nprofile a\naccess_key_id {env.ID}\nsecret_access_key {env.ID}": "access_key_id and profile exclude each other",
		"region eu-west-1\naccess_key_id {env.ID}\nsecret_access_key {env.WEIR_UNSET}":    "secret_access_key: resolving {env.WEIR_UNSET}",
		"region eu-west-1\nprofile nobody":                                                "reading AWS's shared configuration",
		"region x.evil.example/\naccess_key_id {env.ID}\nsecret_access_key {env.ID}":      "is no name of a region",
		"region {env.WEIR_UNSET}":                                                         "resolving region",
	} {
		if _, err := provision(t, block); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
	for block, want := range map[string]string{
		"regoin eu-west-1":          "did you mean 'region'?",
		"region a\nregion b":        "region is given twice",
		"access_key_id AKIDEXAMPLE": "access_key_id " + secret.ErrLiteral.Error(),
		"secret_access_key hunter2": "secret_access_key " + secret.ErrLiteral.Error(),
		"session_token hunter2":     "session_token " + secret.ErrLiteral.Error(),
		"profile":                   "wrong argument count",
		"secret_acess_key {env.ID}": "did you mean 'secret_access_key'?",
	} {
		if _, err := unmarshal(block); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", block, err, want)
		}
	}
}

// TestChainIsNotRunEarly holds that a configuration is valid before the
// credentials of its machine are there, and that their lack is told.
func TestChainIsNotRunEarly(t *testing.T) {
	bare(t)
	up := newUpstream(t, nil)
	p, err := provision(t, "region eu-west-1\nbase_url "+up.URL)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Do(t.Context(), converse("m", false))
	if res != nil {
		_ = res.Body.Close()
	}
	if e := gateway.AsError(err); e.Kind != wire.KindUpstream || !strings.Contains(e.Message, "credential") || up.seen != nil {
		t.Errorf("error %v", err)
	}
}
