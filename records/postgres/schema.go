package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/pg"
	"github.com/weirproxy/weir/records/ledger"
)

// schema is the ledger's.
var schema = pg.Schema{
	Table: "weir_schema",
	Lock:  0x77656972_6c656467, // "weirledg"
	Migrations: []string{
		`CREATE TABLE weir_usage (
	"request_id" text PRIMARY KEY,
	"time" timestamptz NOT NULL,
	"key" text NOT NULL, "principal" text NOT NULL, "team" text NOT NULL, "user" text NOT NULL, "site" text NOT NULL,
	"dialect" text NOT NULL, "operation" text NOT NULL, "model" text NOT NULL, "provider" text NOT NULL,
	"upstream_model" text NOT NULL, "upstream_id" text NOT NULL,
	"error" text NOT NULL, "error_phase" text NOT NULL, "finish_reason" text NOT NULL, "cache" text NOT NULL,
	"usage_source" text NOT NULL, "price_version" text NOT NULL,
	"status" bigint NOT NULL, "attempts" bigint NOT NULL, "bytes_out" bigint NOT NULL,
	"input_tokens" bigint NOT NULL, "output_tokens" bigint NOT NULL, "cached_tokens" bigint NOT NULL,
	"cache_write_tokens" bigint NOT NULL, "reasoning_tokens" bigint NOT NULL,
	"cost_nano" bigint NOT NULL, "cost_input_nano" bigint NOT NULL, "cost_output_nano" bigint NOT NULL,
	"cost_cache_read_nano" bigint NOT NULL, "cost_cache_write_nano" bigint NOT NULL, "cost_reasoning_nano" bigint NOT NULL,
	"cost_media_nano" bigint NOT NULL, "cost_other_nano" bigint NOT NULL,
	"auth_us" bigint NOT NULL, "queue_us" bigint NOT NULL, "limit_us" bigint NOT NULL, "cache_us" bigint NOT NULL,
	"route_us" bigint NOT NULL, "upstream_us" bigint NOT NULL, "ttft_us" bigint NOT NULL, "total_us" bigint NOT NULL,
	"stream" boolean NOT NULL, "client_gone" boolean NOT NULL, "priced" boolean NOT NULL
);
CREATE INDEX weir_usage_time ON weir_usage ("time");
CREATE TABLE weir_usage_hourly (
	"hour" timestamptz NOT NULL,
	"key" text NOT NULL, "principal" text NOT NULL, "team" text NOT NULL, "user" text NOT NULL, "site" text NOT NULL,
	"model" text NOT NULL, "provider" text NOT NULL, "dialect" text NOT NULL, "status" bigint NOT NULL,
	"requests" bigint NOT NULL, "input_tokens" bigint NOT NULL, "output_tokens" bigint NOT NULL,
	"cached_tokens" bigint NOT NULL, "cost_nano" bigint NOT NULL, "unpriced" bigint NOT NULL,
	-- What an index can hold is bounded, and names may be long: their hash is unique.
	"series" text NOT NULL,
	PRIMARY KEY ("hour", "series")
);
CREATE INDEX weir_usage_hourly_key ON weir_usage_hourly ("key", "hour");
CREATE INDEX weir_usage_hourly_team ON weir_usage_hourly ("team", "hour");
CREATE INDEX weir_usage_hourly_user ON weir_usage_hourly ("user", "hour");
CREATE TABLE weir_usage_kept ("only" boolean PRIMARY KEY CHECK ("only"), "since" timestamptz NOT NULL);
INSERT INTO weir_usage_kept VALUES (true, 'epoch')`,
		// Answers that were not paid for. Before, there were none.
		`ALTER TABLE weir_usage ADD COLUMN "saved_nano" bigint NOT NULL DEFAULT 0;
ALTER TABLE weir_usage_hourly ADD COLUMN "cache_hits" bigint NOT NULL DEFAULT 0, ADD COLUMN "saved_nano" bigint NOT NULL DEFAULT 0`,
		// The model that limits count a request for. Before, it was not kept.
		`ALTER TABLE weir_usage ADD COLUMN "counted_as" text NOT NULL DEFAULT '';
ALTER TABLE weir_usage_hourly ADD COLUMN "counted_as" text NOT NULL DEFAULT ''`,
	},
}

var dialect = ledger.SQL{
	Usage:    "weir_usage",
	Hourly:   "weir_usage_hourly",
	Param:    func(n int) string { return fmt.Sprintf("$%d", n) },
	Time:     func(t time.Time) any { return t },
	HourOf:   `date_trunc('hour', "time", 'UTC')`,
	HourText: `to_char("hour" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')`,
	DayText:  `to_char("hour" AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
	Sum:      "LEAST(COALESCE(SUM(%s), 0), 9223372036854775807)::bigint",
}

// insertRows adds the rows of a JSON array whose requests are not there yet,
// and them to the sums, in one statement. The orders are those in which locks
// are taken: two gateways that add to the same sums must not wait for each
// other.
var insertRows = statement()

func statement() string {
	columns := `"time", "` + strings.Join(ledger.Columns(), `", "`) + `"`
	dimensions := `"` + strings.Join(ledger.Dimensions(), `", "`) + `"`
	var sums, set []string
	for i, expr := range ledger.RowSums() {
		name := ledger.SumColumns()[i]
		sums = append(sums, "SUM("+expr+")")
		set = append(set, fmt.Sprintf(`%q = LEAST(h.%q::numeric + excluded.%q, 9223372036854775807)::bigint`, name, name, name))
	}
	return `WITH input AS (
	SELECT DISTINCT ON ("request_id") ` + columns + ` FROM json_populate_recordset(NULL::weir_usage, $1::json)
), inserted AS (
	INSERT INTO weir_usage (` + columns + `) SELECT ` + columns + ` FROM input ORDER BY "request_id"
	ON CONFLICT DO NOTHING RETURNING *
)
INSERT INTO weir_usage_hourly AS h ("hour", "series", ` + dimensions + `, "` + strings.Join(ledger.SumColumns(), `", "`) + `")
SELECT ` + dialect.HourOf + ` AS "at", encode(sha256(convert_to(json_build_array(` + dimensions + `)::text, 'UTF8')), 'hex') AS "hash", ` +
		dimensions + `, ` + strings.Join(sums, ", ") + `
FROM inserted GROUP BY "at", "hash", ` + dimensions + ` ORDER BY "at", "hash"
ON CONFLICT ("hour", "series") DO UPDATE SET ` + strings.Join(set, ", ")
}
