package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"

	"github.com/weirproxy/weir/internal/pg"
)

// prefixed is what a prefix may be: a word that needs no quotes and leaves room
// for what comes after it in PostgreSQL's 63 bytes. Used when configured only.
var prefixed = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// lockClass begins the advisory locks of a cache, "weir".
const lockClass = 0x77656972

// migration is what a new schema is made of; % stands for the prefix.
//
// Answers are compressed already. Their key is a hash, and so is a mark's id,
// since tags may be longer than what an index can hold.
const migration = `CREATE TABLE %_answers (
	"key" bytea PRIMARY KEY,
	"expires" timestamptz NOT NULL,
	"value" bytea NOT NULL
);
ALTER TABLE %_answers ALTER COLUMN "value" SET STORAGE EXTERNAL;
CREATE INDEX %_answers_expires ON %_answers ("expires");
CREATE TABLE %_rows (
	"partition" bytea NOT NULL,
	"key" bytea NOT NULL,
	"id" bigserial NOT NULL,
	"expires" timestamptz NOT NULL,
	"dims" integer NOT NULL,
	"row" bytea NOT NULL,
	PRIMARY KEY ("partition", "key")
);
ALTER TABLE %_rows ALTER COLUMN "row" SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX %_rows_id ON %_rows ("partition", "id");
CREATE INDEX %_rows_expires ON %_rows ("expires");
CREATE TABLE %_marks (
	"id" bytea PRIMARY KEY,
	"tag" bytea NOT NULL,
	"value" bigint NOT NULL,
	"change" bigint NOT NULL,
	"at" timestamptz NOT NULL
);
CREATE INDEX %_marks_change ON %_marks ("change");
CREATE TABLE %_purges (
	"only" boolean PRIMARY KEY CHECK ("only"),
	"change" bigint NOT NULL,
	"epoch" text NOT NULL
)`

// names are the statements about the tables of one prefix, and its locks.
type names struct {
	schema  pg.Schema
	table   string // of rows, as to_regclass reads it
	channel string
	// locks is the first of two numbers of advisory locks, sweeping one of those.
	locks int32

	get, put                                              string
	rows, addRows, trimRows, lockRows                     string
	news, found, change, mark, covered, crowded, everyone string
	sweeps                                                [3]string
}

func namesOf(prefix string) names {
	h := fnv.New64a()
	_, _ = h.Write([]byte(prefix))
	sum := h.Sum64()
	in := func(sql string) string { return strings.ReplaceAll(sql, "%", prefix) }
	return names{
		schema:  pg.Schema{Table: in("%_schema"), Lock: lockClass<<32 | int64(sum>>33), Migrations: []string{in(migration)}},
		table:   in("%_rows"),
		channel: in("%_purges"),
		locks:   int32(uint32(sum)), //nolint:gosec // any 32 bits

		get: in(`SELECT substring("value" from 1 for $2) FROM %_answers WHERE "key" = $1 AND "expires" > clock_timestamp()`),
		put: in(`INSERT INTO %_answers ("key", "expires", "value")
SELECT k, clock_timestamp() + ms * interval '1 millisecond', v FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS new (k, ms, v)
ON CONFLICT ("key") DO UPDATE SET "expires" = excluded."expires", "value" = excluded."value"`),

		rows:     in(`SELECT "id", "row" FROM %_rows WHERE "partition" = $1 AND "id" > $2 AND "expires" > clock_timestamp() ORDER BY "id" LIMIT $3`),
		lockRows: `SELECT pg_advisory_xact_lock($1, $2)`,
		addRows: in(`INSERT INTO %_rows ("partition", "key", "expires", "dims", "row")
SELECT p, k, clock_timestamp() + ms * interval '1 millisecond', d, r FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::integer[], $5::bytea[]) AS new (p, k, ms, d, r)
ON CONFLICT ("partition", "key") DO UPDATE SET "id" = excluded."id", "expires" = excluded."expires", "dims" = excluded."dims", "row" = excluded."row"`),
		trimRows: in(`DELETE FROM %_rows WHERE "partition" = $1 AND "id" <= (SELECT "id" FROM %_rows WHERE "partition" = $1 ORDER BY "id" DESC OFFSET $2 LIMIT 1)`),

		// One statement sees one moment: no mark of a change up to this one is missing.
		news:   in(`SELECT p."change", p."epoch", m."tag", m."value" FROM %_purges p LEFT JOIN %_marks m ON m."change" > $1`),
		found:  in(`INSERT INTO %_purges VALUES (true, 0, md5(random()::text || clock_timestamp()::text)) ON CONFLICT DO NOTHING`),
		change: in(`UPDATE %_purges SET "change" = "change" + 1 RETURNING "change"`),
		mark: in(`INSERT INTO %_marks ("id", "tag", "value", "change", "at")
SELECT i, t, v, $4::bigint, clock_timestamp() FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS new (i, t, v)
ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "change" = excluded."change", "at" = excluded."at" WHERE %_marks."value" < excluded."value"`),
		covered:  in(`DELETE FROM %_marks WHERE "id" <> $1 AND "value" <= (SELECT "value" FROM %_marks WHERE "id" = $1)`),
		crowded:  in(`SELECT count(*), coalesce(max("value"), 0) FROM %_marks`),
		everyone: in(`SELECT pg_notify('%_purges', '')`),

		sweeps: [3]string{
			in(`DELETE FROM %_answers WHERE "key" IN (SELECT "key" FROM %_answers WHERE "expires" < clock_timestamp() ORDER BY "expires" LIMIT $1 FOR UPDATE SKIP LOCKED)`),
			in(`DELETE FROM %_rows WHERE ("partition", "key") IN (SELECT "partition", "key" FROM %_rows WHERE "expires" < clock_timestamp() ORDER BY "expires" LIMIT $1 FOR UPDATE SKIP LOCKED)`),
			in(fmt.Sprintf(`DELETE FROM %%_marks WHERE "id" IN (SELECT "id" FROM %%_marks WHERE "at" < clock_timestamp() - %d * interval '1 second' LIMIT $1 FOR UPDATE SKIP LOCKED)`, int(marksLife.Seconds()))),
		},
	}
}

// prepare makes what is missing of the schema, and finds out about pgvector.
func (c *Cache) prepare() error {
	ctx, cancel := context.WithTimeout(c.background, seldom)
	defer cancel()
	if err := c.names.schema.Migrate(ctx, c.pool); err != nil {
		return err
	}
	if err := c.detect(ctx); err != nil {
		return fmt.Errorf("looking for pgvector: %w", err)
	}
	c.ready.Store(true)
	return nil
}
