// Package postgres keeps the ledger in a PostgreSQL database: the records of a
// fleet of gateways.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirproxy/weir/internal/pg"
	"github.com/weirproxy/weir/records/ledger"
)

// retainRows are removed at once, so that locks are short.
const retainRows = 5000

// Store is a [ledger.Store]. It connects when it is first used.
type Store struct {
	config    *pgxpool.Config
	retention ledger.Retention

	mu     sync.Mutex
	pool   *pgxpool.Pool
	ready  bool // the schema is there
	closed bool
}

var errClosed = errors.New("the database is closed")

// New returns the store in the database at url, `postgres://user@host/name` or
// a list of `key=value`. Beyond libpq's settings url may have pgxpool's.
func New(url string, retention ledger.Retention) (*Store, error) {
	config, err := pg.Parse(url)
	if err != nil {
		return nil, err
	}
	return &Store{config: config, retention: retention}, nil
}

// open connects and migrates if that was not done.
func (s *Store) open(ctx context.Context) (*pgxpool.Pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.pool == nil {
		// Not ctx: the pool outlives the call.
		pool, err := pgxpool.NewWithConfig(context.Background(), s.config)
		if err != nil {
			return nil, fmt.Errorf("opening the records: %w", err)
		}
		s.pool = pool
	}
	if !s.ready {
		if err := schema.Migrate(ctx, s.pool); err != nil {
			return nil, fmt.Errorf("opening the records: %w", err)
		}
		s.ready = true
	}
	return s.pool, nil
}

// Put implements ledger.Store.
func (s *Store) Put(ctx context.Context, rows []ledger.Row) error {
	if len(rows) == 0 {
		return nil
	}
	pool, err := s.open(ctx)
	if err != nil {
		return err
	}
	batch, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	if _, err := pool.Exec(ctx, insertRows, string(batch)); err != nil {
		return refused(err)
	}
	return nil
}

// refused tells errors about the rows, SQLSTATE classes 22 and 23, from those
// about the database.
func refused(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23")) {
		return fmt.Errorf("writing rows: %w: %w", ledger.ErrRejected, err)
	}
	return fmt.Errorf("writing rows: %w", err)
}

// Query implements ledger.Store.
func (s *Store) Query(ctx context.Context, q ledger.Query) (sums []ledger.Sum, err error) {
	pool, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	// One view of both tables.
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		var kept time.Time
		if err := tx.QueryRow(ctx, `SELECT "since" FROM weir_usage_kept`).Scan(&kept); err != nil {
			return err
		}
		statement, args, err := dialect.Select(q, kept)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		sums, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Sum, error) {
			sum := ledger.Sum{Group: make([]string, len(q.By))}
			var into []any
			for i := range sum.Group {
				into = append(into, &sum.Group[i])
			}
			return sum, row.Scan(sum.Scan(into)...)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	return sums, nil
}

// Retain implements ledger.Store.
func (s *Store) Retain(ctx context.Context, now time.Time) error {
	pool, err := s.open(ctx)
	if err != nil {
		return err
	}
	exec := func(statement string, args ...any) (int64, error) {
		tag, err := pool.Exec(ctx, statement, args...)
		if err != nil {
			return 0, fmt.Errorf("removing old rows: %w", err)
		}
		return tag.RowsAffected(), nil
	}
	if age := s.retention.Rows; age > 0 {
		before := now.Add(-age)
		// Said first: questions about what is older rely on sums from here on.
		if _, err := exec(`UPDATE weir_usage_kept SET "since" = GREATEST("since", $1)`, before); err != nil {
			return err
		}
		for n := int64(retainRows); n == retainRows; {
			if n, err = exec(`DELETE FROM weir_usage WHERE "request_id" IN (SELECT "request_id" FROM weir_usage WHERE "time" < $1 ORDER BY "request_id" LIMIT $2 FOR UPDATE SKIP LOCKED)`, before, retainRows); err != nil {
				return err
			}
		}
	}
	if age := s.retention.Sums; age > 0 {
		if _, err := exec(`DELETE FROM weir_usage_hourly WHERE "hour" < $1`, now.Add(-age).Truncate(time.Hour)); err != nil {
			return err
		}
	}
	return nil
}

// Close implements ledger.Store. It waits for what is being written.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.pool != nil {
		s.pool.Close()
		s.pool = nil
	}
	return nil
}

// Interface guard.
var _ ledger.Store = (*Store)(nil)
