// Package ledgertest holds what every store of the ledger must do.
package ledgertest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/records/ledger"
)

// Noon is a full hour.
var Noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// Row is a row with everything in it.
func Row(id string, at time.Time, output int64) ledger.Row {
	return ledger.Row{
		RequestID: id, Time: at, Key: "ci", Principal: "ci", Team: "platform", User: "ann", Site: "api.example.com",
		Dialect: "openai", Operation: "chat", Model: "chat", CountedAs: "cheap", Provider: "openai", UpstreamModel: "gpt-4.1", UpstreamID: "chatcmpl-1",
		Stream: true, Status: 200, FinishReason: "stop", ClientGone: true, Cache: "miss", Attempts: 1, BytesOut: 4096,
		Input: 1200, Output: output, CacheRead: 1000, CacheWrite: 20, Reasoning: 5, UsageSource: "provider",
		CostNano: 4_200_000, CostInput: 1, CostOutput: 2, CostCacheRead: 3, CostCacheWrite: 4, CostReasoning: 5, CostMedia: 6, CostOther: 7,
		Priced: true, PriceVersion: "2026-11-01",
		AuthMicros: 1, QueueMicros: 2, LimitMicros: 3, CacheMicros: 4, RouteMicros: 5, UpstreamMicros: 6, FirstTokenMicros: 7, TotalMicros: 8,
	}
}

// Run tests the stores that open makes, each of them empty. reopen opens the
// same one again; retention is 48 h for rows and 30 days for sums.
func Run(t *testing.T, open func(t *testing.T) (store ledger.Store, reopen func() ledger.Store)) {
	for name, test := range map[string]func(*testing.T, ledger.Store, func() ledger.Store){
		"idempotent": idempotent, "query": query, "agrees": agrees, "spent": spent, "retain": retain,
		"cached": cached, "hostile": hostile, "concurrent": concurrent, "empty": empty,
	} {
		t.Run(name, func(t *testing.T) {
			store, reopen := open(t)
			test(t, store, reopen)
		})
	}
}

func put(t *testing.T, store ledger.Store, rows ...ledger.Row) {
	t.Helper()
	if err := store.Put(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, store ledger.Store, q ledger.Query) []ledger.Sum {
	t.Helper()
	if q.Until.IsZero() {
		q.Since, q.Until = Noon.Add(-time.Hour), Noon.Add(48*time.Hour)
	}
	sums, err := store.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func idempotent(t *testing.T, store ledger.Store, reopen func() ledger.Store) {
	rows := []ledger.Row{Row("a", Noon, 10), Row("b", Noon.Add(time.Minute), 20), Row("a", Noon, 10)}
	put(t, store, rows...)
	put(t, store, rows...)
	// What comes later for the same request, with other counts, changes nothing.
	put(t, store, Row("a", Noon, 999), Row("c", Noon.Add(2*time.Hour), 30))
	check := func(store ledger.Store) {
		t.Helper()
		want := ledger.Totals{Requests: 3, Input: 3600, Output: 60, CacheRead: 3000, CostNano: 12_600_000}
		if got := ask(t, store, ledger.Query{}); len(got) != 1 || got[0].Totals != want {
			t.Errorf("%+v", got)
		}
	}
	check(store)
	check(reopen())
}

func query(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	other := Row("b", Noon.Add(90*time.Minute), 7)
	other.Key, other.Model, other.CountedAs, other.Status, other.Priced, other.CostNano = "web", "dear", "named", 502, false, 0
	put(t, store, Row("a", Noon.Add(time.Minute), 10), other, Row("c", Noon.Add(25*time.Hour), 5))
	sum := func(requests, output, cost, unpriced int64, group ...string) ledger.Sum {
		return ledger.Sum{Group: group, Totals: ledger.Totals{
			Requests: requests, Input: 1200 * requests, Output: output, CacheRead: 1000 * requests, CostNano: cost, Unpriced: unpriced,
		}}
	}
	for name, test := range map[string]struct {
		q    ledger.Query
		want []ledger.Sum
	}{
		"key, model": {ledger.Query{By: []string{"key", "model"}}, []ledger.Sum{
			sum(2, 15, 8_400_000, 0, "ci", "chat"), sum(1, 7, 0, 1, "web", "dear"),
		}},
		"counted_as": {ledger.Query{By: []string{"counted_as"}}, []ledger.Sum{sum(2, 15, 8_400_000, 0, "cheap"), sum(1, 7, 0, 1, "named")}},
		"status":     {ledger.Query{By: []string{"status"}}, []ledger.Sum{sum(2, 15, 8_400_000, 0, "200"), sum(1, 7, 0, 1, "502")}},
		"hour": {ledger.Query{By: []string{"hour"}}, []ledger.Sum{
			sum(1, 10, 4_200_000, 0, "2026-11-25T12:00:00Z"), sum(1, 7, 0, 1, "2026-11-25T13:00:00Z"), sum(1, 5, 4_200_000, 0, "2026-11-26T13:00:00Z"),
		}},
		"day": {ledger.Query{By: []string{"day"}}, []ledger.Sum{sum(2, 17, 4_200_000, 1, "2026-11-25"), sum(1, 5, 4_200_000, 0, "2026-11-26")}},
		"day, site, user, team, provider, dialect, principal": {
			ledger.Query{By: []string{"day", "site", "user", "team", "provider", "dialect", "principal"}, Where: map[string]string{"key": "ci", "status": "200"}},
			[]ledger.Sum{
				sum(1, 10, 4_200_000, 0, "2026-11-25", "api.example.com", "ann", "platform", "openai", "openai", "ci"),
				sum(1, 5, 4_200_000, 0, "2026-11-26", "api.example.com", "ann", "platform", "openai", "openai", "ci"),
			},
		},
		"nothing":          {ledger.Query{By: []string{"key"}, Where: map[string]string{"key": "nobody"}}, nil},
		"since is in":      {ledger.Query{By: []string{"key"}, Since: Noon.Add(time.Minute), Until: Noon.Add(2 * time.Minute)}, []ledger.Sum{sum(1, 10, 4_200_000, 0, "ci")}},
		"until is out":     {ledger.Query{By: []string{"key"}, Since: Noon, Until: Noon.Add(time.Minute)}, nil},
		"across the hours": {ledger.Query{By: []string{"key"}, Since: Noon.Add(time.Minute + time.Microsecond), Until: Noon.Add(90*time.Minute + time.Microsecond)}, []ledger.Sum{sum(1, 7, 0, 1, "web")}},
		"empty range":      {ledger.Query{By: []string{"key"}, Since: Noon, Until: Noon}, nil},
	} {
		if got := ask(t, store, test.q); !cmp.Equal(got, test.want) && len(got)+len(test.want) > 0 {
			t.Errorf("%s: %s", name, cmp.Diff(test.want, got))
		}
	}
	for _, q := range []ledger.Query{{By: []string{`key"; DROP TABLE usage`}}, {Where: map[string]string{"request_id": "a"}}} {
		q.Since, q.Until = Noon, Noon.Add(time.Hour)
		if _, err := store.Query(t.Context(), q); err == nil {
			t.Errorf("%+v is no error", q)
		}
	}
}

// cached holds what answers count for that were not paid for, in single rows and
// in the sums of hours.
func cached(t *testing.T, store ledger.Store, reopen func() ledger.Store) {
	states := []string{"", "miss", "bypass", "refresh", "hit", "stale", "semantic-hit", "coalesced"}
	for i, state := range states {
		for hour := range 2 {
			r := Row(fmt.Sprint(state, hour), Noon.Add(time.Duration(hour)*time.Hour+time.Duration(i)*time.Minute), 0)
			if r.Cache = state; i >= 4 {
				r.SavedNano = 1_000 << i
			}
			put(t, store, r)
		}
	}
	saved := int64(1_000<<4 + 1_000<<5 + 1_000<<6 + 1_000<<7)
	for name, until := range map[string]time.Time{"sums": Noon.Add(time.Hour), "rows": Noon.Add(59 * time.Minute)} {
		got := ask(t, reopen(), ledger.Query{By: []string{"key"}, Since: Noon, Until: until})
		if len(got) != 1 || got[0].Requests != 8 || got[0].CacheHits != 4 || got[0].SavedNano != saved {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// agrees compares sums over any range with adding up by hand.
func agrees(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	rng := rand.New(rand.NewPCG(1, 2))
	var rows []ledger.Row
	for n := range 400 {
		r := Row(fmt.Sprintf("req_%d", n), Noon.Add(time.Duration(rng.Int64N(int64(6*time.Hour)))).Truncate(time.Microsecond), rng.Int64N(1000))
		r.Key, r.Team = fmt.Sprintf("key%d", rng.IntN(3)), fmt.Sprintf("team%d", rng.IntN(2))
		if rng.IntN(2) == 0 {
			r.Cache, r.SavedNano = "hit", rng.Int64N(1000)
		}
		rows = append(rows, r)
	}
	for n := 0; n < len(rows); n += 37 {
		put(t, store, rows[n:min(n+50, len(rows))]...) // some twice
	}
	for range 60 {
		since := Noon.Add(time.Duration(rng.Int64N(int64(6 * time.Hour)))).Truncate(time.Microsecond)
		until := since.Add(time.Duration(rng.Int64N(int64(4 * time.Hour)))).Truncate(time.Microsecond)
		want := map[string]ledger.Totals{}
		for i := range rows {
			if r := &rows[i]; r.Team == "team1" && !r.Time.Before(since) && r.Time.Before(until) {
				sum := want[r.Key]
				sum.Add(r)
				want[r.Key] = sum
			}
		}
		got := map[string]ledger.Totals{}
		for _, s := range ask(t, store, ledger.Query{By: []string{"key"}, Since: since, Until: until, Where: map[string]string{"team": "team1"}}) {
			got[s.Group[0]] = s.Totals
		}
		if !cmp.Equal(got, want) {
			t.Fatalf("%v to %v: %s", since, until, cmp.Diff(want, got))
		}
	}
}

func spent(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	other := Row("b", Noon.Add(time.Minute), 1)
	other.Key, other.Site = "web", "other"
	put(t, store, Row("a", Noon, 10), other)
	for scope, want := range map[string]int64{
		"key:ci": 1, "key:web": 1, "key:none": 0, "team:platform": 2, "user:ann": 2, "model:chat": 2, "provider:openai": 2,
		"principal:ci": 2, "site:other": 1, "global": 2,
	} {
		got, err := Spent(t.Context(), store, scope, Noon)
		if err != nil || got.Requests != want || got.CostNano != want*4_200_000 {
			t.Errorf("%s: %+v, %v", scope, got, err)
		}
	}
	if got, err := Spent(t.Context(), store, "key:ci", Noon.Add(time.Second)); err != nil || got.Requests != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Spent(t.Context(), store, "nobody", Noon); err == nil {
		t.Error("a scope that is none is no error")
	}
}

func retain(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	put(t, store, Row("old", Noon.Add(-31*24*time.Hour), 1), Row("aged", Noon.Add(-49*time.Hour+10*time.Minute), 2), Row("new", Noon.Add(-time.Hour), 4))
	for range 2 {
		if err := store.Retain(t.Context(), Noon); err != nil {
			t.Fatal(err)
		}
	}
	output := func(since, until time.Time) (n int64) {
		for _, s := range ask(t, store, ledger.Query{Since: since, Until: until}) {
			n += s.Output
		}
		return n
	}
	if got := output(Noon.Add(-40*24*time.Hour), Noon); got != 6 {
		t.Errorf("%d, not 6: sums are kept longer than rows, and not for ever", got)
	}
	// The row is gone: its hour is taken as a whole.
	if got := output(Noon.Add(-49*time.Hour+5*time.Minute), Noon.Add(-49*time.Hour+20*time.Minute)); got != 2 {
		t.Errorf("%d, not 2", got)
	}
}

// hostile rows must not hold up the others behind them.
func hostile(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	r := Row("a", Noon, math.MaxInt64)
	r.Model, r.UpstreamID = "nul \x00 \xff ' \" \\ \U0001f980", string(make([]byte, 5000))
	r.Input, r.CostNano, r.Status = math.MinInt64, math.MaxInt64, math.MaxInt64
	r.Clean()
	same := r
	for n := range 20 {
		same.RequestID = fmt.Sprint(n)
		put(t, store, same)
	}
	got := ask(t, store, ledger.Query{By: []string{"model"}})
	if len(got) != 1 || got[0].Requests != 20 || got[0].CostNano <= 0 || got[0].Group[0] != r.Model {
		t.Errorf("%+v", got)
	}
}

func concurrent(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 20 {
				// Two writers have each row, and all have the same sums.
				rows := []ledger.Row{Row(fmt.Sprintf("%d_%d", g/2, n), Noon, 1), Row(fmt.Sprintf("x%d_%d", g/2, n), Noon.Add(time.Hour), 1)}
				if g%2 == 0 {
					rows[0], rows[1] = rows[1], rows[0]
				}
				var err error
				for range 50 { // a deadlock is a reason to try again
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					err = store.Put(ctx, rows)
					if _, errQuery := store.Query(ctx, ledger.Query{Since: Noon, Until: Noon.Add(time.Hour)}); err == nil {
						err = errQuery
					}
					cancel()
					if err == nil {
						break
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := ask(t, store, ledger.Query{}); got[0].Requests != 160 || got[0].Output != 160 {
		t.Errorf("%+v", got)
	}
}

func empty(t *testing.T, store ledger.Store, _ func() ledger.Store) {
	put(t, store)
	got, err := Spent(t.Context(), store, "global", Noon)
	if err != nil || got != (ledger.Totals{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got := ask(t, store, ledger.Query{By: []string{"key"}}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if err := store.Retain(t.Context(), Noon); err != nil {
		t.Error(err)
	}
}
