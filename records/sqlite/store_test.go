package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lib "modernc.org/sqlite/lib"

	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/records/ledger/ledgertest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var retention = ledger.Retention{Rows: 48 * time.Hour, Sums: 30 * 24 * time.Hour}

func TestStore(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) (ledger.Store, func() ledger.Store) {
		path := filepath.Join(t.TempDir(), "new folder", "50% usage?.db")
		open := func() ledger.Store {
			s := New(path, retention)
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		return open(), open
	})
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	s := New(path, ledger.DefaultRetention)
	if err := s.Put(t.Context(), []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(path + "*")
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	if len(files) != 3 { // with its write-ahead log
		t.Errorf("%v", files)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Put(t.Context(), []ledger.Row{ledgertest.Row("b", ledgertest.Noon, 1)}); err == nil {
		t.Error("a closed store takes rows")
	}
}

func TestSettings(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "usage.db"), ledger.DefaultRetention)
	defer s.Close()
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		db           *sql.DB
		pragma, want string
	}{
		{s.write, "journal_mode", "wal"},
		{s.write, "busy_timeout", "5000"},
		{s.read, "query_only", "1"},
		{s.write, "user_version", fmt.Sprint(len(migrations))},
	} {
		var got string
		if err := test.db.QueryRow("PRAGMA " + test.pragma).Scan(&got); err != nil || got != test.want {
			t.Errorf("%s: %s, not %s; %v", test.pragma, got, test.want, err)
		}
	}
}

// TestDurable holds that a commit of rows is synced: the journal lets go of them
// then.
func TestDurable(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "usage.db"), ledger.DefaultRetention)
	defer s.Close()
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	pragma, err := s.rows.conn.prepare("PRAGMA synchronous")
	if err != nil {
		t.Fatal(err)
	}
	if got := pragma.number(t); got != 2 {
		t.Errorf("synchronous is %d", got)
	}
}

// number is the first column of the statement's first row.
func (s *statement) number(t *testing.T) int64 {
	t.Helper()
	if rc := lib.Xsqlite3_step(s.conn.tls, s.handle); rc != lib.SQLITE_ROW {
		t.Fatal(s.conn.check(rc))
	}
	defer lib.Xsqlite3_reset(s.conn.tls, s.handle)
	return lib.Xsqlite3_column_int64(s.conn.tls, s.handle, 0)
}

// TestValues holds that a row has its own values, whatever those before it had:
// texts that grow, shrink and go, and numbers.
func TestValues(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "usage.db"), ledger.DefaultRetention)
	defer s.Close()
	var rows []ledger.Row
	for i, text := range []string{"", "a", strings.Repeat("long ", 50), "b", "b", "", "\u00e9\u4e16", strings.Repeat("y", 512)} {
		r := ledgertest.Row(fmt.Sprintf("r%d", i), ledgertest.Noon, int64(i%3))
		r.Model, r.Team, r.Stream, r.Status = text, text, i%2 == 0, int64(200+i/2)
		rows = append(rows, r)
	}
	if err := s.Put(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		var model, team string
		var stream bool
		var output, status int64
		err := s.read.QueryRow(`SELECT "model", "team", "stream", "output_tokens", "status" FROM "usage" WHERE "request_id" = ?`, r.RequestID).
			Scan(&model, &team, &stream, &output, &status)
		if err != nil || model != r.Model || team != r.Team || stream != r.Stream || output != r.Output || status != r.Status {
			t.Errorf("%s: %q %q %v %d %d, %v", r.RequestID, model, team, stream, output, status, err)
		}
	}
}

// TestNewerSchema holds that an older program leaves a newer database alone.
func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	db, err := connect(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	s := New(path, ledger.DefaultRetention)
	defer s.Close()
	if err := s.Put(t.Context(), []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("%v", err)
	}
}

// TestOlderSchema holds that what an older program has written is found, and goes
// on, and that the older one may still write.
func TestOlderSchema(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) { olderSchema(t, version) })
	}
}

func olderSchema(t *testing.T, version int) {
	path := filepath.Join(t.TempDir(), "usage.db")
	old, err := connect(path, 1, "journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := old.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range migrations[:version] {
		exec(m)
	}
	exec(fmt.Sprintf("PRAGMA user_version = %d", version))
	// The statements of version 1, prepared before anything changes.
	row, err := old.Prepare(`INSERT INTO "usage" ("request_id", "time", "key", "principal", "team", "user", "site", "dialect", "operation", "model", "provider",
		"upstream_model", "upstream_id", "error", "error_phase", "finish_reason", "cache", "usage_source", "price_version", "status", "attempts", "bytes_out",
		"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nano", "cost_input_nano", "cost_output_nano",
		"cost_cache_read_nano", "cost_cache_write_nano", "cost_reasoning_nano", "cost_media_nano", "cost_other_nano", "auth_us", "queue_us", "limit_us",
		"cache_us", "route_us", "upstream_us", "ttft_us", "total_us", "stream", "client_gone", "priced")
		VALUES (?, ?` + strings.Repeat(", 'x'", 17) + strings.Repeat(", 7", 24) + ", 1, 1, 1)")
	if err != nil {
		t.Fatal(err)
	}
	hour, err := old.Prepare(`INSERT INTO "usage_hourly" ("hour", "key", "principal", "team", "user", "site", "model", "provider", "dialect", "status",
		"requests", "input_tokens", "output_tokens", "cached_tokens", "cost_nano", "unpriced")
		VALUES (?, 'ci', 'ci', 'platform', 'ann', 'api.example.com', ?, 'openai', 'openai', 200, 2, 2400, 20, 2000, 8400000, 1)
		ON CONFLICT DO UPDATE SET "requests" = "requests" + excluded."requests", "cost_nano" = "cost_nano" + excluded."cost_nano"`)
	if err != nil {
		t.Fatal(err)
	}
	at := ledgertest.Noon.UnixMicro()
	write := func(id string, models ...string) {
		t.Helper()
		if _, err := row.Exec(id, at); err != nil {
			t.Fatal(err)
		}
		for _, model := range models {
			if _, err := hour.Exec(at, model); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("old", "chat", "chat", "other")
	s := New(path, ledger.DefaultRetention)
	defer s.Close()
	again, saved := ledgertest.Row("old", ledgertest.Noon, 1), ledgertest.Row("new", ledgertest.Noon, 1)
	saved.Cache, saved.SavedNano = "hit", 5
	if err := s.Put(t.Context(), []ledger.Row{again, saved}); err != nil {
		t.Fatal(err)
	}
	write("late", "chat")
	sums, err := s.Query(t.Context(), ledger.Query{By: []string{"model", "counted_as"}, Since: ledgertest.Noon, Until: ledgertest.Noon.Add(time.Hour)})
	want := []ledger.Sum{
		{Group: []string{"chat", ""}, Totals: ledger.Totals{Requests: 6, Input: 2400, Output: 20, CacheRead: 2000, CostNano: 25_200_000, Unpriced: 1}},
		{Group: []string{"chat", "cheap"}, Totals: ledger.Totals{Requests: 1, Input: 1200, Output: 1, CacheRead: 1000, CostNano: 4_200_000, CacheHits: 1, SavedNano: 5}},
		{Group: []string{"other", ""}, Totals: ledger.Totals{Requests: 2, Input: 2400, Output: 20, CacheRead: 2000, CostNano: 8_400_000, Unpriced: 1}},
	}
	if diff := cmp.Diff(want, sums); err != nil || diff != "" {
		t.Errorf("the sums: %v %s", err, diff)
	}
	sums, err = s.Query(t.Context(), ledger.Query{By: []string{"counted_as"}, Since: ledgertest.Noon, Until: ledgertest.Noon.Add(time.Minute)})
	if err != nil || len(sums) != 2 || sums[0].Requests != 2 || sums[0].Group[0] != "" || sums[1].Requests != 1 || sums[1].SavedNano != 5 {
		t.Errorf("the rows: %+v %v", sums, err)
	}
	for _, index := range []string{"usage_time", "usage_hourly_key", "usage_hourly_team", "usage_hourly_user"} {
		var n int
		if err := old.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE "type" = 'index' AND "name" = ?`, index).Scan(&n); err != nil || n != 1 {
			t.Errorf("index %s: %d, %v", index, n, err)
		}
	}
}

// TestNoPlace holds that a store without its disk says so each time, and works
// when the disk is there.
func TestNoPlace(t *testing.T) {
	dir := t.TempDir()
	blocker := filepath.Join(dir, "records")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(filepath.Join(blocker, "usage.db"), ledger.DefaultRetention)
	defer s.Close()
	rows := []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}
	if err := s.Put(t.Context(), rows); err == nil {
		t.Fatal("no error")
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), rows); err != nil {
		t.Error(err)
	}
}

// TestCancelled holds that a delivery that was given up leaves nothing half
// done.
func TestCancelled(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "usage.db"), ledger.DefaultRetention)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows := []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}
	if err := s.Put(ctx, rows); err == nil {
		t.Fatal("no error")
	}
	for range 2 {
		if err := s.Put(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ledgertest.Spent(t.Context(), s, "global", ledgertest.Noon); err != nil || got.Requests != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func BenchmarkPut500(b *testing.B) {
	s := New(filepath.Join(b.TempDir(), "usage.db"), ledger.DefaultRetention)
	defer s.Close()
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
