package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/pgtest"
	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/records/ledger/ledgertest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var retention = ledger.Retention{Rows: 48 * time.Hour, Sums: 30 * 24 * time.Hour}

func newStore(t testing.TB, url string) *Store {
	t.Helper()
	s, err := New(url, retention)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	server := pgtest.Start(t)
	n := 0
	ledgertest.Run(t, func(t *testing.T) (ledger.Store, func() ledger.Store) {
		n++
		url := server.Database(fmt.Sprintf("test%d", n))
		return newStore(t, url), func() ledger.Store { return newStore(t, url) }
	})

	t.Run("gateways that start together", func(t *testing.T) {
		url := server.Database("together")
		var wg sync.WaitGroup
		for g := range 6 {
			s := newStore(t, url)
			wg.Go(func() {
				if err := s.Put(t.Context(), []ledger.Row{ledgertest.Row(fmt.Sprint(g), ledgertest.Noon, 1)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, err := ledgertest.Spent(t.Context(), newStore(t, url), "global", ledgertest.Noon); err != nil || got.Requests != 6 {
			t.Errorf("%+v %v", got, err)
		}
	})

	t.Run("older schema", func(t *testing.T) {
		url := server.Database("older")
		old, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = old.Close(context.WithoutCancel(t.Context())) }()
		at := ledgertest.Noon.Format(time.RFC3339)
		for _, statement := range []string{
			schema.Migrations[0],
			`CREATE TABLE weir_schema ("version" integer NOT NULL)`,
			"INSERT INTO weir_schema VALUES (1)",
			"INSERT INTO weir_usage_hourly VALUES ('" + at + "', 'ci', 'ci', 'platform', 'ann', 'api.example.com', 'chat', 'openai', 'openai', 200, 2, 2400, 20, 2000, 8400000, 0, 'x')",
			"INSERT INTO weir_usage VALUES ('old', '" + at + "'" + strings.Repeat(", 'x'", 17) + strings.Repeat(", 7", 24) + ", true, true, true)",
		} {
			if _, err := old.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		s := newStore(t, url)
		saved := ledgertest.Row("new", ledgertest.Noon, 1)
		saved.Cache, saved.SavedNano = "hit", 5
		if err := s.Put(t.Context(), []ledger.Row{saved}); err != nil {
			t.Fatal(err)
		}
		want := ledger.Totals{Requests: 3, Input: 3600, Output: 21, CacheRead: 3000, CostNano: 12_600_000, CacheHits: 1, SavedNano: 5}
		sums, err := s.Query(t.Context(), ledger.Query{By: []string{"key"}, Since: ledgertest.Noon, Until: ledgertest.Noon.Add(time.Hour)})
		if err != nil || len(sums) != 1 || sums[0].Totals != want {
			t.Errorf("the sums: %+v %v", sums, err)
		}
		sums, err = s.Query(t.Context(), ledger.Query{Since: ledgertest.Noon, Until: ledgertest.Noon.Add(time.Minute)})
		if err != nil || len(sums) != 1 || sums[0].Requests != 2 || sums[0].SavedNano != 5 {
			t.Errorf("the rows: %+v %v", sums, err)
		}
	})

	t.Run("an older gateway that writes on", func(t *testing.T) {
		url := server.Database("rolling")
		old, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = old.Close(context.WithoutCancel(t.Context())) }()
		for _, statement := range append(slices.Clone(schema.Migrations[:2]), `CREATE TABLE weir_schema ("version" integer NOT NULL)`, "INSERT INTO weir_schema VALUES (2)") {
			if _, err := old.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		// The statement of version 2, which the connection keeps prepared.
		insert := strings.ReplaceAll(insertRows, `, "counted_as"`, "")
		write := func(s *Store, id, model, counted string) {
			t.Helper()
			row := ledgertest.Row(id, ledgertest.Noon, 1)
			row.Model, row.CountedAs = model, counted
			if s != nil {
				if err := s.Put(t.Context(), []ledger.Row{row}); err != nil {
					t.Fatal(err)
				}
				return
			}
			batch, err := json.Marshal([]ledger.Row{row})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := old.Exec(t.Context(), insert, string(batch)); err != nil {
				t.Fatal(err)
			}
		}
		write(nil, "a", "chat", "lost")
		write(nil, "b", "chat", "lost")
		s := newStore(t, url)
		write(s, "c", "chat", "cheap")
		write(nil, "d", "chat", "lost")
		write(nil, "c", "chat", "lost") // delivered by both
		write(s, "a", "chat", "cheap")
		write(s, "e", "chat", "")
		write(s, "f", "other", "")
		query := ledger.Query{By: []string{"model", "counted_as"}, Since: ledgertest.Noon, Until: ledgertest.Noon.Add(time.Hour)}
		for _, length := range []time.Duration{time.Hour, time.Minute} { // sums and rows
			query.Until = query.Since.Add(length)
			sums, err := s.Query(t.Context(), query)
			var got []string
			for _, sum := range sums {
				got = append(got, fmt.Sprint(sum.Group, sum.Requests, sum.CostNano))
			}
			want := "[[chat ] 4 16800000 [chat cheap] 1 4200000 [other ] 1 4200000]"
			if err != nil || fmt.Sprint(got) != want {
				t.Errorf("%v: %v %v, want %s", length, got, err, want)
			}
		}
	})

	t.Run("newer schema", func(t *testing.T) {
		url := server.Database("newer")
		first := newStore(t, url)
		if err := first.Put(t.Context(), []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}); err != nil {
			t.Fatal(err)
		}
		if _, err := first.pool.Exec(t.Context(), "UPDATE weir_schema SET version = 99"); err != nil {
			t.Fatal(err)
		}
		if _, err := ledgertest.Spent(t.Context(), newStore(t, url), "global", ledgertest.Noon); err == nil || !strings.Contains(err.Error(), "99") {
			t.Errorf("%v", err)
		}
	})

	t.Run("refused row", func(t *testing.T) {
		s := newStore(t, server.Database("refused"))
		bad := ledgertest.Row("a", ledgertest.Noon, 1)
		bad.Model = "nul \x00" // not cleaned
		if err := s.Put(t.Context(), []ledger.Row{bad}); !isRejected(err) {
			t.Errorf("%v", err)
		}
	})

	t.Run("outage", func(t *testing.T) {
		s := newStore(t, server.Database("outage"))
		put := func(id string) error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return s.Put(ctx, []ledger.Row{ledgertest.Row(id, ledgertest.Noon, 1)})
		}
		if err := put("a"); err != nil {
			t.Fatal(err)
		}
		server.Stop()
		if err := put("b"); err == nil || isRejected(err) {
			t.Errorf("down: %v", err)
		}
		server.Restart()
		var err error
		for range 10 { // broken connections of the pool first
			if err = put("b"); err == nil {
				break
			}
		}
		if got, errSpent := ledgertest.Spent(t.Context(), s, "global", ledgertest.Noon); err != nil || errSpent != nil || got.Requests != 2 {
			t.Errorf("%+v %v %v", got, err, errSpent)
		}
	})
}

func isRejected(err error) bool {
	return err != nil && strings.Contains(err.Error(), ledger.ErrRejected.Error())
}

func TestURLIsNotQuoted(t *testing.T) {
	for _, url := range []string{"postgres://weir:hunter2@host:port/x", "postgres://weir:hunter2@host/x?sslmode=perhaps", "://hunter2"} {
		if _, err := New(url, retention); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func BenchmarkPut500(b *testing.B) {
	s := newStore(b, pgtest.Start(b).Database("bench"))
	rows := make([]ledger.Row, 500)
	n := 0
	for b.Loop() {
		for i := range rows {
			n++
			rows[i] = ledgertest.Row(fmt.Sprintf("req_%012d", n), ledgertest.Noon.Add(time.Duration(n)*time.Millisecond), 1)
			rows[i].Key = fmt.Sprintf("key%d", n%20)
		}
		if err := s.Put(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/row")
}
