package upstream

import (
	"errors"
	"strings"
	"testing"
)

// TestHeaders holds that fields with which no call could be sent, and secrets that a
// configuration would show, are refused when it is loaded: JSON has no places to name
// them at.
func TestHeaders(t *testing.T) {
	values := map[string]string{"{env.KEY}": "Bearer x", "{env.LINES}": "a\r\nX-Other: b"}
	replace := func(value string) (string, error) {
		for placeholder, text := range values {
			value = strings.ReplaceAll(value, placeholder, text)
		}
		if strings.Contains(value, "{env.") {
			return "", errors.New("it is not set")
		}
		return value, nil
	}
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
		{map[string]string{"X-Team": "{env.NONE}"}, "resolving header X-Team: it is not set"},
		{map[string]string{"x-api-key": "sk-literal"}, "header x-api-key: what is secret in it must be a placeholder"},
		{map[string]string{"host": "example.com"}, "header host: it is made for each call"},
		{map[string]string{"x-team": "a", "X-Team": "b"}, "header X-Team is given twice"},
	} {
		got, err := (&Config{Headers: c.fields}).resolveHeaders(replace)
		switch {
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v", c.fields, err)
		case err == nil && len(got) != len(c.fields):
			t.Errorf("%v: %v, want %s", c.fields, got, c.want)
		}
		for name, value := range got {
			if !strings.Contains(c.want, name+": "+value) {
				t.Errorf("%v: %v", c.fields, got)
			}
		}
		if err != nil && strings.Contains(err.Error(), "sk-literal") {
			t.Errorf("the secret is shown: %v", err)
		}
	}
}
