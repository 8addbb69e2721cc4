package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/weirproxy/weir/cache/semantic"
)

// maxDims is how long a vector of pgvector may be.
const maxDims = 16_000

// vectors are the statements for a database that has pgvector.
type vectors struct{ add, find string }

// detect finds out whether the database has pgvector, makes it if that is
// possible, and adds the column. Whoever may not do that reads rows instead.
func (c *Cache) detect(ctx context.Context) error {
	var found *vectors
	err := pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		// Two that make the same at once would fail.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", c.names.schema.Lock); err != nil {
			return err
		}
		var available, installed, column bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector'), EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'),
EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'vector' AND NOT attisdropped)`, c.names.table).Scan(&available, &installed, &column)
		if err != nil || !available && !installed {
			return err
		}
		// In a savepoint: what is not allowed is no failure.
		var schema string
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			if !installed {
				if _, err := tx.Exec(ctx, "CREATE EXTENSION vector"); err != nil {
					return err
				}
			}
			// It may be outside of the search path.
			const where = `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'`
			if err := tx.QueryRow(ctx, where).Scan(&schema); err != nil {
				return err
			}
			schema = pgx.Identifier{schema}.Sanitize()
			if column {
				return nil
			}
			_, err := tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE %[1]s ADD COLUMN "vector" %[2]s.vector;
ALTER TABLE %[1]s ALTER COLUMN "vector" SET STORAGE EXTERNAL`, c.names.table, schema))
			return err
		})
		if err == nil {
			found = vectorsOf(c.names.table, schema)
		} else if answered(err) {
			return nil
		}
		return err
	})
	if err == nil {
		c.vectors.Store(found)
	}
	return err
}

// vectorsOf makes the statements. A search reads the partition's rows by their
// index and compares them all: they are few, and an index of vectors would first
// find what is near in other partitions. The size is the vector's own: an instance that
// does not know of pgvector replaces the rest of a row alone.
func vectorsOf(table, schema string) *vectors {
	in := func(sql string) string { return strings.NewReplacer("%rows", table, "%schema", schema).Replace(sql) }
	return &vectors{
		add: in(`INSERT INTO %rows ("partition", "key", "expires", "dims", "row", "vector")
SELECT p, k, clock_timestamp() + ms * interval '1 millisecond', d, r, v::%schema.vector
FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::integer[], $5::bytea[], $6::text[]) AS new (p, k, ms, d, r, v)
ON CONFLICT ("partition", "key") DO UPDATE SET "id" = excluded."id", "expires" = excluded."expires", "dims" = excluded."dims", "row" = excluded."row", "vector" = excluded."vector"`),
		find: in(`SELECT "row" FROM %rows WHERE "partition" = $1 AND %schema.vector_dims("vector") = $2 AND "expires" > clock_timestamp()
ORDER BY "vector" OPERATOR(%schema.<=>) $3::text::%schema.vector LIMIT $4`),
	}
}

// Find implements semantic.Finder, within the deadline of the cache.
func (c *Cache) Find(ctx context.Context, p semantic.Partition, vector []float32, limit int) (rows [][]byte, known bool, err error) {
	if !c.breaker.Allow() {
		return nil, false, errAway
	}
	v, wanted := c.vectors.Load(), literal(vector)
	if v == nil || wanted == nil {
		return nil, false, nil
	}
	bounded, cancel := c.bound(ctx)
	defer cancel()
	found, err := c.pool.Query(bounded, v.find, p[:], len(vector), *wanted, limit)
	if err == nil {
		rows, err = pgx.CollectRows(found, pgx.RowTo[[]byte])
	}
	c.judge(ctx, err)
	if err != nil {
		return nil, !missing(err), fmt.Errorf("searching in postgresql: %w", err)
	}
	return rows, true, nil
}

// literal is a vector as pgvector reads it; nil for one that it cannot hold.
func literal(v []float32) *string {
	if len(v) == 0 || len(v) > maxDims {
		return nil
	}
	b := make([]byte, 0, 12*len(v))
	for i, x := range v {
		b = append(b, "[,"[min(i, 1)])
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	text := string(append(b, ']'))
	return &text
}

// Interface guard.
var _ semantic.Finder = (*Cache)(nil)
