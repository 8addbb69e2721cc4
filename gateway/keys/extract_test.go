package keys

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
)

func TestExtract(t *testing.T) {
	type h = http.Header
	for _, tt := range []struct {
		name   string
		header h
		query  string
		want   string
		place  Place
		err    error
	}{
		{"nothing", h{}, "", "", NoPlace, nil},
		{"bearer", h{"Authorization": {"Bearer k"}}, "", "k", Authorization, nil},
		{"lower-case scheme", h{"Authorization": {"bearer k"}}, "", "k", Authorization, nil},
		{"tab and spaces", h{"Authorization": {"Bearer \t k  "}}, "", "k", Authorization, nil},
		{"bearer of nothing", h{"Authorization": {"Bearer "}}, "", "", NoPlace, nil},
		{"bearer alone", h{"Authorization": {"Bearer"}}, "", "", NoPlace, nil},
		{"empty", h{"Authorization": {""}}, "", "", NoPlace, nil},
		{"basic", h{"Authorization": {"Basic dTpw"}}, "", "", NoPlace, nil},
		{"no space after the scheme", h{"Authorization": {"Bearerk"}}, "", "", NoPlace, nil},
		{"x-api-key", h{"X-Api-Key": {"k"}}, "", "k", XAPIKey, nil},
		{"x-goog-api-key", h{"X-Goog-Api-Key": {"k"}}, "", "k", XGoogAPIKey, nil},
		{"api-key", h{"Api-Key": {"k"}}, "", "k", APIKey, nil},
		{"query", h{}, "alt=sse&key=k", "k", Query, nil},
		{"query, escaped value", h{}, "key=a%2Bb", "a+b", Query, nil},
		{"query, escaped name", h{}, "%6bey=k", "k", Query, nil},
		{"query, another name", h{}, "monkey=k&keys=k&Key=k", "", NoPlace, nil},
		{"query, bad escape", h{}, "key=%zz", "", NoPlace, nil},
		{"basic and a key", h{"Authorization": {"Basic dTpw"}, "X-Api-Key": {"k"}}, "", "k", XAPIKey, nil},
		{"empty bearer and a key", h{"Authorization": {"Bearer "}, "X-Api-Key": {"k"}}, "", "k", XAPIKey, nil},
		{"the same twice", h{"Authorization": {"Bearer k"}, "X-Api-Key": {"k"}}, "key=k", "k", Authorization, nil},
		{"two headers of a name", h{"Authorization": {"Bearer k", "Bearer l"}}, "", "", NoPlace, ErrConflict},
		{"two places", h{"Authorization": {"Bearer k"}, "X-Api-Key": {"l"}}, "", "", NoPlace, ErrConflict},
		{"header and query", h{"X-Goog-Api-Key": {"k"}}, "key=l", "", NoPlace, ErrConflict},
		{"query twice", h{}, "key=k&key=l", "", NoPlace, ErrConflict},
		{"query, escaped twice", h{}, "key=k&%6Bey=l", "", NoPlace, ErrConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, place, err := Extract(tt.header, tt.query)
			if got != tt.want || place != tt.place || !errors.Is(err, tt.err) {
				t.Errorf("got %q at %q, %v", got, place, err)
			}
		})
	}
}

// FuzzExtract compares the query's reading with net/url's.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{"", "key=k", "key=k&key=k", "a=b&%6bey=x+y", "key", "&&=&key=&", "key=%00%ff"} {
		f.Add("Bearer x", seed)
	}
	f.Fuzz(func(t *testing.T, authorization, query string) {
		got, place, err := Extract(nil, query)
		values, parseErr := url.ParseQuery(query)
		if parseErr == nil {
			distinct := map[string]bool{}
			for _, v := range values["key"] {
				if v = trimBlanks(v); v != "" {
					distinct[v] = true
				}
			}
			if (len(distinct) > 1) != (err != nil) || (len(distinct) == 1) != (place == Query) || (got != "" && !distinct[got]) {
				t.Errorf("%q: got %q, %q, %v; net/url reads %q", query, got, place, err, values["key"])
			}
		}
		_, _, _ = Extract(http.Header{"Authorization": {authorization}, "Api-Key": {authorization}}, query)
	})
}

func trimBlanks(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
