package upstream

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/secret"
)

// TestHideInAnySpelling holds that an upstream's error does not tell the key,
// whatever the upstream wrote it with, and that what is left is JSON.
func TestHideInAnySpelling(t *testing.T) {
	const key = "sk-a/b+c=d_9f3e"
	for name, spelled := range map[string]string{
		"plain":      key,
		"json":       `sk\u002da\/b\u002bc\u003Dd\u005f9f3e`,
		"one escape": `sk-a\/b+c=d_9f3e`,
		"all":        `\u0073\u006b\u002d\u0061\u002f\u0062\u002b\u0063\u003d\u0064\u005f\u0039\u0066\u0033\u0065`,
		"query":      url.QueryEscape(key),
		"path":       url.PathEscape(key),
		"base64":     base64.StdEncoding.EncodeToString([]byte(key)),
		"bearer":     base64.StdEncoding.EncodeToString([]byte("Bearer " + key + " x")),
		"basic":      base64.URLEncoding.EncodeToString([]byte("u:" + key)),
		"basic two":  base64.StdEncoding.EncodeToString([]byte("us:" + key + ":")),
	} {
		for _, times := range []int{1, 2} {
			text := `{"error":{"message":"wrong \"key\" é\\` + strings.Repeat(spelled+` and `, times) + `%41 \ud83d\ude00"}}`
			got := string(hide([]byte(text), secret.New(key)))
			var read struct{ Error struct{ Message string } }
			if err := json.Unmarshal([]byte(got), &read); err != nil {
				t.Errorf("%s: %v: %s", name, err, got)
			}
			core := spelled[4 : len(spelled)-4]
			if strings.Contains(got, core) || strings.Count(got, "***") != times || !strings.HasPrefix(got, `{"error":{"message":"wrong \"key\" é\\`) || !strings.HasSuffix(got, ` and %41 \ud83d\ude00"}}`) {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	for _, text := range []string{"", "sk-a", `sk-a\`, `\`, `%`, `%4`, `\u00`, `\u`, "nothing of the kind that is much longer \\u002d %2F"} {
		if got := string(hide([]byte(text), secret.New(key))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestLookingForKeysAllocatesNothing: it is done for every answer.
func TestLookingForKeysAllocatesNothing(t *testing.T) {
	text, key := []byte("req_0123456789abcdef0123456789abcdef"), secret.New("sk-upstream-0123456789abcdef")
	if n := testing.AllocsPerRun(100, func() { hide(text, key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestHeadersOfCredentials holds that a credential in a header is no literal, and is
// hidden as the key is.
func TestHeadersOfCredentials(t *testing.T) {
	t.Setenv("GATE_KEY", "gate-1234567890")
	for name, value := range map[string]string{
		"Authorization": "Bearer {env.GATE_KEY}", "cf-aig-authorization": "{env.GATE_KEY}", "Helicone-Auth": "Bearer {env.GATE_KEY}", "X-Portkey-Api-Key": "{env.GATE_KEY}",
		"Ocp-Apim-Subscription-Key": "{env.GATE_KEY}", "X-Client-Secret": "{env.GATE_KEY}", "X-Access-Token": "{env.GATE_KEY}", "Cookie": "session={env.GATE_KEY}",
	} {
		client, _ := newClient(t, Vendor{})
		literal := strings.ReplaceAll(value, "{env.GATE_KEY}", "gate-1234567890")
		if err := client.setHeaders(map[string]string{name: literal}, caddy.NewReplacer()); !errors.Is(err, secret.ErrLiteral) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: %v", name, err)
		}
		if err := client.setHeaders(map[string]string{name: value}, caddy.NewReplacer()); err != nil || client.headers[http.CanonicalHeaderKey(name)] != literal {
			t.Errorf("%s: %q, %v", name, client.headers, err)
		}
		if got := string(client.Redact([]byte("who is " + literal + "?"))); strings.Contains(got, "1234") {
			t.Errorf("%s: %s", name, got)
		}
	}
	client, _ := newClient(t, Vendor{})
	if err := client.setHeaders(map[string]string{"X-Max-Tokens": "5", "OpenAI-Project": "proj_1", "X-Cache-Key": "a"}, caddy.NewReplacer()); err != nil || len(client.headers) != 3 {
		t.Errorf("%q, %v", client.headers, err)
	}
	if got := string(client.Redact([]byte("proj_1 has 5"))); got != "proj_1 has 5" {
		t.Error(got)
	}
}

// FuzzHide plants a key in text of any bytes, in any spelling: it is not there
// afterwards.
func FuzzHide(f *testing.F) {
	f.Add("before ", " behind", "sk-a/b+c=d_9f3e", uint8(0))
	f.Add(`{"a":"\\`, `\u00"}`, "AKIAIOSFODNN7EXAMPLE", uint8(0xff))
	f.Add("%", "%2", "a%b%c%d%e", uint8(3))
	f.Fuzz(func(t *testing.T, before, behind, key string, how uint8) {
		if len(key) < shortSecret || len(key) > 100 || strings.ContainsAny(key, "\x00*\\%\"") {
			return
		}
		for i := range len(key) {
			if key[i] <= ' ' || key[i] >= 0x7f {
				return
			}
		}
		var spelled strings.Builder
		for i := range len(key) {
			if how>>(i%8)&1 == 1 {
				fmt.Fprintf(&spelled, `\u%04x`, key[i])
			} else {
				spelled.WriteByte(key[i])
			}
		}
		if strings.HasSuffix(before, `\`) || strings.HasSuffix(strings.TrimRight(before, "0123456789abcdefABCDEF"), `\u`) {
			return // it escapes what follows
		}
		got := string(hide([]byte(before+spelled.String()+behind), secret.New(key)))
		if strings.Contains(got, key) && !strings.Contains(before+"***"+behind, key) {
			t.Errorf("%q is in %q", key, got)
		}
		if how != 0 && strings.Contains(got, spelled.String()) && !strings.Contains(before+behind, spelled.String()) {
			t.Errorf("%q is in %q", spelled.String(), got)
		}
	})
}
