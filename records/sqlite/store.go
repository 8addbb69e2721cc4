// Package sqlite keeps the ledger in a SQLite database: the records of one
// gateway, with nothing to set up.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/weirproxy/weir/records/ledger"
)

const (
	// busyTimeout is how long another process may hold the database.
	busyTimeout = 5 * time.Second

	// readers is how many questions are answered at once; WAL lets them read
	// beside the writer.
	readers = 4

	// retainRows are removed at once, so that writing waits for that long only.
	retainRows = 2000
)

// errClosed says that the store's last configuration is gone.
var errClosed = errors.New("the database is closed")

// Store is a [ledger.Store]. The database is opened when it is first used.
type Store struct {
	path      string
	retention ledger.Retention

	mu          sync.Mutex // guards opening and closing
	write, read *sql.DB
	rows        *inserter
	closed      bool

	writing sync.Mutex // SQLite has one writer; waiting here is fairer than its busy handler
}

// New returns the store in the file path, whose folder is made if need be.
func New(path string, retention ledger.Retention) *Store {
	return &Store{path: path, retention: retention}
}

// open opens the database if it is not open.
func (s *Store) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.read != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("opening the records: %w", err)
	}
	// Made here for its mode: names and counts are nobody else's business.
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the records: %w", err)
	}
	_ = file.Close()
	write, err := connect(s.path, 1, "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return err
	}
	err = migrate(ctx, write)
	var read *sql.DB
	if err == nil {
		read, err = connect(s.path, readers, "query_only(true)")
	}
	var rows *inserter
	if err == nil {
		if rows, err = newInserter(s.path); err != nil {
			_ = read.Close()
		}
	}
	if err != nil {
		_ = write.Close()
		return fmt.Errorf("opening the records: %w", err)
	}
	s.write, s.read, s.rows = write, read, rows
	return nil
}

func connect(path string, connections int, pragmas ...string) (*sql.DB, error) {
	values := url.Values{"_txlock": {"immediate"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}
	if connections > 1 {
		values.Set("_txlock", "deferred")
	}
	values["_pragma"] = append(values["_pragma"], pragmas...)
	address := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: values.Encode()}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, fmt.Errorf("opening the records: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Put implements ledger.Store.
func (s *Store) Put(ctx context.Context, rows []ledger.Row) error {
	if len(rows) == 0 {
		return nil
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.rows == nil {
		return errClosed
	}
	return s.rows.put(ctx, rows)
}

// Query implements ledger.Store.
func (s *Store) Query(ctx context.Context, q ledger.Query) ([]ledger.Sum, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	tx, err := s.read.BeginTx(ctx, nil) // one view of both tables
	if err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var kept int64
	if err := tx.QueryRowContext(ctx, `SELECT "since" FROM "usage_kept"`).Scan(&kept); err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	statement, args, err := dialect.Select(q, time.UnixMicro(kept))
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var sums []ledger.Sum
	for rows.Next() {
		sum := ledger.Sum{Group: make([]string, len(q.By))}
		var into []any
		for i := range sum.Group {
			into = append(into, &sum.Group[i])
		}
		if err := rows.Scan(sum.Scan(into)...); err != nil {
			return nil, fmt.Errorf("reading sums: %w", err)
		}
		sums = append(sums, sum)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading sums: %w", err)
	}
	return sums, nil
}

// Retain implements ledger.Store.
func (s *Store) Retain(ctx context.Context, now time.Time) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	if age := s.retention.Rows; age > 0 {
		before := now.Add(-age).UnixMicro()
		// Said first: questions about what is older rely on sums from here on.
		if _, err := s.exec(ctx, `UPDATE "usage_kept" SET "since" = MAX("since", ?1)`, before); err != nil {
			return err
		}
		for n := int64(retainRows); n == retainRows; {
			var err error
			if n, err = s.exec(ctx, `DELETE FROM "usage" WHERE "request_id" IN (SELECT "request_id" FROM "usage" WHERE "time" < ?1 LIMIT ?2)`, before, retainRows); err != nil {
				return err
			}
		}
	}
	if age := s.retention.Sums; age > 0 {
		if _, err := s.exec(ctx, `DELETE FROM "usage_hourly" WHERE "hour" < ?1`, now.Add(-age).Truncate(time.Hour).UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	result, err := s.write.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("removing old rows: %w", err)
	}
	return result.RowsAffected()
}

// Close implements ledger.Store. It waits for what is being written.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.read == nil {
		return nil
	}
	rows := s.rows
	s.rows = nil
	return errors.Join(s.read.Close(), rows.conn.close(), s.write.Close())
}

// Interface guard.
var _ ledger.Store = (*Store)(nil)
