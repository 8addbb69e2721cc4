package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func init() { caddy.RegisterModule(new(spread)) }

// spread is a policy with an argument.
type spread struct {
	Over string `json:"over,omitempty"`
}

func (*spread) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.policies.spread", New: func() caddy.Module { return new(spread) }}
}

func (s *spread) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&s.Over) {
		return d.ArgErr()
	}
	return nil
}

func setKeys(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"WEIR_A": "sk-first", "WEIR_B": "sk-second", "WEIR_C": "sk-third", "WEIR_A2": "sk-first"} {
		t.Setenv(name, value)
	}
}

// TestAccounts holds that each call is made with the account that it names,
// that names tell nothing and stay when keys are moved, and that no error page
// shows any key.
func TestAccounts(t *testing.T) {
	setKeys(t)
	client := provision(t, &Config{BaseURL: "http://127.0.0.1:1/v1", APIKey: "{env.WEIR_A}", APIKeys: []string{"{env.WEIR_B}", "{env.WEIR_C}"}})
	names := client.Accounts()
	if len(names) != 3 {
		t.Fatalf("accounts %v", names)
	}
	form := regexp.MustCompile(`^key-[0-9a-f]{8}$`)
	for i, name := range names {
		if !form.MatchString(name) || i > 0 && name == names[0] {
			t.Errorf("names %v", names)
		}
	}
	moved := provision(t, &Config{BaseURL: "http://127.0.0.1:1/v1", APIKeys: []string{"{env.WEIR_C}", "{env.WEIR_A2}"}})
	if diff := cmp.Diff([]string{names[2], names[0]}, moved.Accounts()); diff != "" {
		t.Errorf("names after keys were moved (-want +got)\n%s", diff)
	}

	transport := new(recorder)
	client.transport = fixed(transport)
	for i, want := range []string{"Bearer sk-first", "Bearer sk-second", "Bearer sk-third"} {
		res, err := client.Do(t.Context(), &gateway.Call{Operation: wire.Chat, Path: "/chat", Method: http.MethodPost, Account: i})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := transport.req.Header.Get("Authorization"); got != want {
			t.Errorf("account %d: %s, want %s", i, got, want)
		}
	}
	transport.req = nil
	for _, i := range []int{-1, 3} {
		res, err := client.Do(t.Context(), &gateway.Call{Operation: wire.Chat, Method: http.MethodPost, Account: i})
		if res != nil {
			_ = res.Body.Close()
		}
		if gateway.AsError(err).Kind != wire.KindInternal || transport.req != nil {
			t.Errorf("account %d: %v", i, err)
		}
	}
	if got := string(client.Redact([]byte("sk-third sk-first sk-second"))); got != "*** *** ***" {
		t.Errorf("shown: %s", got)
	}
	if client.AccountPolicy() != nil {
		t.Errorf("policy %v", client.AccountPolicy())
	}
}

// TestSoleAccounts holds that every provider has one at least.
func TestSoleAccounts(t *testing.T) {
	setKeys(t)
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no key", Config{}, soleAccount},
		{"one key", Config{APIKey: "{env.WEIR_A}"}, accountName(secret.New("sk-first"))},
		{"list of one", Config{APIKeys: []string{"{env.WEIR_A}"}}, accountName(secret.New("sk-first"))},
	} {
		tt.config.BaseURL = "http://127.0.0.1:1"
		if got := provision(t, &tt.config).Accounts(); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// TestAccountsThatAreRefused holds what a configuration must not have.
func TestAccountsThatAreRefused(t *testing.T) {
	setKeys(t)
	for want, c := range map[string]Config{
		"api_keys: {env.WEIR_A} and {env.WEIR_A2} are the same key": {APIKeys: []string{"{env.WEIR_A}", "{env.WEIR_A2}"}},
		"api_keys: {env.WEIR_A} and {env.WEIR_A} are the same key":  {APIKey: "{env.WEIR_A}", APIKeys: []string{"{env.WEIR_A}"}},
		"api_keys: resolving {env.WEIR_UNSET}":                      {APIKeys: []string{"{env.WEIR_A}", "{env.WEIR_UNSET}"}},
		"api_keys: must be a placeholder":                           {APIKeys: []string{"{env.WEIR_A}", "sk-x"}},
		"warm must be between 0 and 256, got -1":                    {WarmConnections: -1},
		"warm must be between 0 and 256, got 257":                   {WarmConnections: 257},
		"loading key_policy":                                        {KeyPolicyRaw: json.RawMessage(`{"policy":"nobody"}`)},
	} {
		c.BaseURL = "http://127.0.0.1:1"
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		if _, err := c.Provision(ctx, Vendor{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		} else if strings.Contains(err.Error(), "sk-first") {
			t.Errorf("the error shows a key: %v", err)
		}
		cancel()
	}
}

// TestCaddyfile reads accounts, their policy and connections in advance.
func TestCaddyfile(t *testing.T) {
	for _, tt := range []struct{ block, want string }{
		{"api_key {env.A}", `{"api_key":"{env.A}"}`},
		{"api_key {env.A} {env.B}", `{"api_keys":["{env.A}","{env.B}"]}`},
		{"api_key {env.A}\napi_key {env.B} {env.C}\napi_key {env.D}", `{"api_keys":["{env.A}","{env.B}","{env.C}","{env.D}"]}`},
		{"key_policy spread evenly", `{"key_policy":{"over":"evenly","policy":"spread"}}`},
		{"warm", `{"warm":1}`},
		{"warm 8", `{"warm":8}`},
		{"base_url unix//run/llama.sock:/v1", `{"base_url":"unix//run/llama.sock:/v1"}`},
		{"api_key", "wrong argument count"},
		{`api_key ""`, "api_key is empty"},
		{"api_key {env.A} {env.A}", "api_key {env.A} is given twice"},
		{"api_key {env.A}\napi_key {env.B} sk-x", "api_key must be a placeholder"},
		{"key_policy", "wrong argument count"},
		{"key_policy spraed evenly", "unknown policy 'spraed'"},
		{"key_policy spread", "wrong argument count"},
		{"key_policy spread a\nkey_policy spread a", "key_policy is given twice"},
		{"max_inputs 32", `{"max_inputs":32}`},
		{"max_inputs 0", "max_inputs: '0' is no whole number"},
		{"max_inputs 1000001", "max_inputs: 1000001 is more than"},
		{"max_inputs 1\nmax_inputs 1", "max_inputs is given twice"},
		{"max_input 1", "unrecognized provider option 'max_input'; did you mean 'max_inputs'"},
		{"warm no", "warm: 'no' is no whole number"},
		{"warm 1 2", "wrong argument count"},
		{"warm\nwarm", "warm is given twice"},
		{"warn 3", "unrecognized provider option 'warn'"},
	} {
		var c Config
		err := c.UnmarshalCaddyfile(caddyfile.NewTestDispenser("openai {\n" + tt.block + "\n}"))
		var got string
		if err != nil {
			got = err.Error()
		} else if data, err := json.Marshal(&c); err != nil {
			t.Fatal(err)
		} else {
			got = string(data)
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: %s, want %s", tt.block, got, tt.want)
		}
	}
	client := provision(t, &Config{BaseURL: "http://127.0.0.1:1", KeyPolicyRaw: json.RawMessage(`{"policy":"spread","over":"x"}`)})
	if p, ok := client.AccountPolicy().(*spread); !ok || p.Over != "x" {
		t.Errorf("policy %v", client.AccountPolicy())
	}
}
