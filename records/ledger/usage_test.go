package ledger

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is a store that remembers what it was asked.
type asked struct {
	Store
	query Query
	sums  []Sum
	err   error
}

func (a *asked) Query(_ context.Context, q Query) ([]Sum, error) {
	a.query = q
	return a.sums, a.err
}

var twoSums = []Sum{
	{Group: []string{"ci", "chat"}, Totals: Totals{Requests: 2, Input: 10, Output: 5, CacheRead: 3, CostNano: 1_250_000_000, CacheHits: 1, SavedNano: 500_000_000}},
	{Group: []string{"=1+1", `a"b`}, Totals: Totals{Requests: 1, CostNano: 1, Unpriced: 1}},
}

func get(store Store, method, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	UsageHandler(store, func() time.Time { return noon }).ServeHTTP(w, httptest.NewRequest(method, "/ai/usage"+query, nil))
	return w
}

func TestUsage(t *testing.T) {
	day := 24 * time.Hour
	for query, want := range map[string]Query{
		"":                         {By: []string{"key", "model"}, Since: noon.Add(-day), Until: noon},
		"?by=team,day&since=7d":    {By: []string{"team", "day"}, Since: noon.Add(-7 * day), Until: noon},
		"?by=&since=90m&until=30m": {Since: noon.Add(-90 * time.Minute), Until: noon.Add(-30 * time.Minute)},
		"?by=key&since=2026-11-01": {By: []string{"key"}, Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Until: noon},
		"?since=2026-11-25T09:00:00%2b01:00&by=key": {By: []string{"key"}, Since: noon.Add(-4 * time.Hour), Until: noon},
		"?by=status,hour&key=ci&team=a%20b": {
			By: []string{"status", "hour"}, Since: noon.Add(-day), Until: noon, Where: map[string]string{"key": "ci", "team": "a b"},
		},
	} {
		store := &asked{}
		w := get(store, http.MethodGet, query)
		if w.Code != 200 || w.Body.String() != "{\"data\":[]}\n" {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		if diff := cmp.Diff(want, store.query); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for query, want := range map[string]string{
		"?by=nothing":        "'nothing' is none of",
		"?by=key,key":        "twice",
		"?by=key,":           "''",
		"?by=key&by=model":   "given twice",
		"?since=yesterday":   "yesterday",
		"?since=-5m":         "-5m",
		"?since=99999999d":   "neither",
		"?since=0001-01-01":  "too far",
		"?since=1h&until=2h": "before",
		"?format=xml":        "xml",
		"?kee=ci":            "kee",
		"?request_id=a":      "request_id",
	} {
		w := get(&asked{}, http.MethodGet, query)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) || !strings.HasPrefix(w.Body.String(), `{"error":`) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	if w := get(&asked{}, http.MethodPost, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := get(&asked{err: errors.New("connection refused")}, http.MethodGet, ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
}

func TestFormats(t *testing.T) {
	store := &asked{sums: twoSums}
	const json = `{"data":[{"key":"ci","model":"chat","requests":2,"input_tokens":10,"output_tokens":5,"cached_tokens":3,"cost_usd":1.25,"cache_hits":1,"saved_usd":0.5},` +
		`{"key":"=1+1","model":"a\"b","requests":1,"input_tokens":0,"output_tokens":0,"cached_tokens":0,"cost_usd":0.000000001,"cache_hits":0,"saved_usd":0,"unpriced_requests":1}]}` + "\n"
	if got := get(store, http.MethodGet, "").Body.String(); got != json {
		t.Error(cmp.Diff(json, got))
	}
	const csv = "key,model,requests,input_tokens,output_tokens,cached_tokens,cost_usd,unpriced_requests,cache_hits,saved_usd\n" +
		"ci,chat,2,10,5,3,1.25,0,1,0.5\n" + "'=1+1,\"a\"\"b\",1,0,0,0,0.000000001,1,0,0\n"
	w := get(store, http.MethodGet, "?format=csv")
	if got := w.Body.String(); got != csv || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Error(cmp.Diff(csv, got))
	}
	store.sums = []Sum{{Group: []string{"429"}, Totals: Totals{Requests: 1}}}
	if got := get(store, http.MethodGet, "?by=status").Body.String(); !strings.Contains(got, `{"status":429,"requests":1`) {
		t.Error(got)
	}
}

func TestDollars(t *testing.T) {
	for nano, want := range map[int64]string{
		0: "0", 1: "0.000000001", 1_000_000_000: "1", 1_500_000_000: "1.5", -1: "-0.000000001", -2_500_000_000: "-2.5",
		math.MaxInt64: "9223372036.854775807", 10_000_000_000: "10", 100: "0.0000001",
	} {
		if got := Dollars(nano); got != want {
			t.Errorf("%d: %s, not %s", nano, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	for scope, want := range map[string]string{"global": "|", "key:ci": "key|ci", "team:a:b": "team|a:b", "user:": "user|"} {
		if column, value, err := ParseScope(scope); err != nil || column+"|"+value != want {
			t.Errorf("%s: %s %s %v", scope, column, value, err)
		}
	}
	for _, scope := range []string{"", "key", "status:200", "request_id:x"} {
		if _, _, err := ParseScope(scope); err == nil {
			t.Errorf("%q is a scope", scope)
		}
	}
}

func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for _, test := range []struct {
		rows, sums time.Duration
		want       Retention
		bad        bool
	}{
		{want: DefaultRetention},
		{rows: -1, sums: -1, want: Retention{}},
		{rows: 30 * day, sums: 60 * day, want: Retention{Rows: 30 * day, Sums: 60 * day}},
		{rows: time.Hour, bad: true},
		{rows: 30 * day, sums: 20 * day, bad: true},
		{rows: -1, sums: 20 * day, bad: true},
	} {
		got := Configured(test.rows, test.sums)
		if err := got.Validate(); (err != nil) != test.bad || (!test.bad && got != test.want) {
			t.Errorf("%v %v: %+v %v", test.rows, test.sums, got, err)
		}
	}
}
