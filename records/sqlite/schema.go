package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

// migrations take the schema from one version to the next; the database's
// user_version says how many it has seen. They are never changed, only added
// to.
var migrations = [...]string{
	// Times are microseconds since 1970.
	`CREATE TABLE "usage" (
	"request_id" TEXT PRIMARY KEY,
	"time" INTEGER NOT NULL,
	"key" TEXT NOT NULL, "principal" TEXT NOT NULL, "team" TEXT NOT NULL, "user" TEXT NOT NULL, "site" TEXT NOT NULL,
	"dialect" TEXT NOT NULL, "operation" TEXT NOT NULL, "model" TEXT NOT NULL, "provider" TEXT NOT NULL,
	"upstream_model" TEXT NOT NULL, "upstream_id" TEXT NOT NULL,
	"error" TEXT NOT NULL, "error_phase" TEXT NOT NULL, "finish_reason" TEXT NOT NULL, "cache" TEXT NOT NULL,
	"usage_source" TEXT NOT NULL, "price_version" TEXT NOT NULL,
	"status" INTEGER NOT NULL, "attempts" INTEGER NOT NULL, "bytes_out" INTEGER NOT NULL,
	"input_tokens" INTEGER NOT NULL, "output_tokens" INTEGER NOT NULL, "cached_tokens" INTEGER NOT NULL,
	"cache_write_tokens" INTEGER NOT NULL, "reasoning_tokens" INTEGER NOT NULL,
	"cost_nano" INTEGER NOT NULL, "cost_input_nano" INTEGER NOT NULL, "cost_output_nano" INTEGER NOT NULL,
	"cost_cache_read_nano" INTEGER NOT NULL, "cost_cache_write_nano" INTEGER NOT NULL, "cost_reasoning_nano" INTEGER NOT NULL,
	"cost_media_nano" INTEGER NOT NULL, "cost_other_nano" INTEGER NOT NULL,
	"auth_us" INTEGER NOT NULL, "queue_us" INTEGER NOT NULL, "limit_us" INTEGER NOT NULL, "cache_us" INTEGER NOT NULL,
	"route_us" INTEGER NOT NULL, "upstream_us" INTEGER NOT NULL, "ttft_us" INTEGER NOT NULL, "total_us" INTEGER NOT NULL,
	"stream" INTEGER NOT NULL, "client_gone" INTEGER NOT NULL, "priced" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX "usage_time" ON "usage" ("time");
CREATE TABLE "usage_hourly" (
	"hour" INTEGER NOT NULL,
	"key" TEXT NOT NULL, "principal" TEXT NOT NULL, "team" TEXT NOT NULL, "user" TEXT NOT NULL, "site" TEXT NOT NULL,
	"model" TEXT NOT NULL, "provider" TEXT NOT NULL, "dialect" TEXT NOT NULL, "status" INTEGER NOT NULL,
	"requests" INTEGER NOT NULL, "input_tokens" INTEGER NOT NULL, "output_tokens" INTEGER NOT NULL,
	"cached_tokens" INTEGER NOT NULL, "cost_nano" INTEGER NOT NULL, "unpriced" INTEGER NOT NULL,
	PRIMARY KEY ("hour", "key", "principal", "team", "user", "site", "model", "provider", "dialect", "status")
) STRICT;
CREATE INDEX "usage_hourly_key" ON "usage_hourly" ("key", "hour");
CREATE INDEX "usage_hourly_team" ON "usage_hourly" ("team", "hour");
CREATE INDEX "usage_hourly_user" ON "usage_hourly" ("user", "hour");
CREATE TABLE "usage_kept" ("only" INTEGER PRIMARY KEY CHECK ("only" = 1), "since" INTEGER NOT NULL) STRICT;
INSERT INTO "usage_kept" VALUES (1, 0)`,
	// Answers that were not paid for. Before, there were none.
	`ALTER TABLE "usage" ADD COLUMN "saved_nano" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "usage_hourly" ADD COLUMN "cache_hits" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "usage_hourly" ADD COLUMN "saved_nano" INTEGER NOT NULL DEFAULT 0`,
	// The model that limits count a request for. Before, it was not kept; programs of
	// before that still run do not name it.
	`ALTER TABLE "usage" ADD COLUMN "counted_as" TEXT NOT NULL DEFAULT '';
ALTER TABLE "usage_hourly" RENAME TO "usage_hourly_2";
DROP INDEX "usage_hourly_key";
DROP INDEX "usage_hourly_team";
DROP INDEX "usage_hourly_user";
CREATE TABLE "usage_hourly" (
	"hour" INTEGER NOT NULL,
	"key" TEXT NOT NULL, "principal" TEXT NOT NULL, "team" TEXT NOT NULL, "user" TEXT NOT NULL, "site" TEXT NOT NULL,
	"model" TEXT NOT NULL, "counted_as" TEXT NOT NULL DEFAULT '', "provider" TEXT NOT NULL, "dialect" TEXT NOT NULL, "status" INTEGER NOT NULL,
	"requests" INTEGER NOT NULL, "input_tokens" INTEGER NOT NULL, "output_tokens" INTEGER NOT NULL,
	"cached_tokens" INTEGER NOT NULL, "cost_nano" INTEGER NOT NULL, "unpriced" INTEGER NOT NULL,
	"cache_hits" INTEGER NOT NULL DEFAULT 0, "saved_nano" INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ("hour", "key", "principal", "team", "user", "site", "model", "counted_as", "provider", "dialect", "status")
) STRICT;
INSERT INTO "usage_hourly" SELECT "hour", "key", "principal", "team", "user", "site", "model", '', "provider", "dialect", "status",
	"requests", "input_tokens", "output_tokens", "cached_tokens", "cost_nano", "unpriced", "cache_hits", "saved_nano" FROM "usage_hourly_2";
DROP TABLE "usage_hourly_2";
CREATE INDEX "usage_hourly_key" ON "usage_hourly" ("key", "hour");
CREATE INDEX "usage_hourly_team" ON "usage_hourly" ("team", "hour");
CREATE INDEX "usage_hourly_user" ON "usage_hourly" ("user", "hour")`,
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("reading the version of the schema: %w", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("the database has version %d of the schema, and this program knows %d at most: a newer one has used it", version, len(migrations))
	}
	if version == len(migrations) {
		return nil
	}
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return fmt.Errorf("migrating: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations))); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

var dialect = ledger.SQL{
	Usage:    `"usage"`,
	Hourly:   `"usage_hourly"`,
	Param:    func(n int) string { return fmt.Sprintf("?%d", n) },
	Time:     func(t time.Time) any { return t.UnixMicro() },
	HourOf:   `"time" - "time" % 3600000000`,
	HourText: `strftime('%Y-%m-%dT%H:00:00Z', "hour" / 1000000, 'unixepoch')`,
	DayText:  `strftime('%Y-%m-%d', "hour" / 1000000, 'unixepoch')`,
	Sum:      "COALESCE(SUM(%s), 0)",
}

var insertRow, addSums = statements()

func statements() (insert, add string) {
	columns := append([]string{"time"}, ledger.Columns()...)
	insert = `INSERT OR IGNORE INTO "usage" (` + list(columns) + ") VALUES (" + marks(len(columns)) + ")"
	columns = append(append([]string{"hour"}, ledger.Dimensions()...), ledger.SumColumns()...)
	add = `INSERT INTO "usage_hourly" (` + list(columns) + ") VALUES (" + marks(len(columns)) + ") ON CONFLICT DO UPDATE SET "
	for i, c := range ledger.SumColumns() {
		if i > 0 {
			add += ", "
		}
		// A sum that overflows becomes a real number; it stops instead.
		add += fmt.Sprintf("%q = MIN(%q + excluded.%q, 9223372036854775807)", c, c, c)
	}
	return insert, add
}

func list(columns []string) string { return `"` + strings.Join(columns, `", "`) + `"` }

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
