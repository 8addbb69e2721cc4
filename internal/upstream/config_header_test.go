package upstream

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestHeaders holds that fields with which no call could be sent, and secrets that a
// configuration would show, are refused when it is loaded: JSON has no places to name
// them at.
func TestHeaders(t *testing.T) {
	t.Setenv("KEY", "Bearer x")
	t.Setenv("LINES", "a\r\nX-Other: b")
	for _, c := range []struct {
		fields map[string]string
		want   string // an error, or fields
	}{
		{nil, ""},
		{map[string]string{"x-team": "search", "Authorization": "{env.KEY}"}, "X-Team: search, Authorization: Bearer x"},
		{map[string]string{"X Team": "a"}, `header "X Team": it is no name`},
		{map[string]string{"": "a"}, `header "": it is no name`},
		{map[string]string{"X-Team": "a\nb"}, `header "X-Team": it is no name of a header field, or its value has a line break`},
		{map[string]string{"X-Team": "{env.LINES}"}, "resolving header X-Team: the value has a line break"},
		{map[string]string{"X-Team": "{env.NONE}"}, "resolving header X-Team: "},
		{map[string]string{"x-api-key": "sk-literal"}, "header x-api-key: what is secret in it must be a placeholder"},
		{map[string]string{"host": "example.com"}, "header host: it is made for each call"},
		{map[string]string{"x-team": "a", "X-Team": "b"}, "header X-Team is given twice"},
	} {
		client, _ := newClient(t, Vendor{})
		err := client.setHeaders(c.fields, caddy.NewReplacer())
		switch {
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v", c.fields, err)
		case err == nil && len(client.headers) != len(c.fields):
			t.Errorf("%v: %v, want %s", c.fields, client.headers, c.want)
		case err == nil:
			for name, value := range client.headers {
				if !strings.Contains(c.want, name+": "+value) {
					t.Errorf("%v: %v", c.fields, client.headers)
				}
			}
		}
		if err != nil && strings.Contains(err.Error(), "sk-literal") {
			t.Errorf("the secret is shown: %v", err)
		}
	}
}
