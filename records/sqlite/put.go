package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	errorcodes "modernc.org/sqlite/lib"

	"github.com/weirproxy/weir/records/ledger"
)

// turn is how many rows are added before requests may go on: a delivery has
// time, and would keep a processor for milliseconds.
const turn = 16

// inserter adds rows.
type inserter struct {
	conn                    *conn
	begin, commit, rollback *statement
	insert, sums            *statement
	buckets                 map[ledger.Bucket]ledger.Totals
	texts                   func(string)
	numbers                 func(int64)
}

func newInserter(path string) (*inserter, error) {
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	p := &inserter{conn: c, buckets: make(map[ledger.Bucket]ledger.Totals)}
	// What is delivered leaves the journal, so that a commit must be durable:
	// in WAL mode that takes synchronous=FULL.
	err = c.exec("PRAGMA synchronous = FULL")
	for _, s := range []struct {
		into **statement
		text string
	}{
		{&p.begin, "BEGIN IMMEDIATE"},
		{&p.commit, "COMMIT"},
		{&p.rollback, "ROLLBACK"},
		{&p.insert, insertRow},
		{&p.sums, addSums},
	} {
		if err == nil {
			*s.into, err = c.prepare(s.text)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	p.texts, p.numbers = p.insert.addText, p.insert.addNumber
	return p, nil
}

// put adds rows in one transaction.
func (p *inserter) put(ctx context.Context, rows []ledger.Row) error {
	err := p.conn.during(ctx, func() error {
		if err := p.begin.run(); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
		err := p.add(ctx, rows)
		if err == nil {
			if err = p.commit.run(); err != nil {
				err = fmt.Errorf("writing rows: %w", err)
			}
		}
		if err != nil {
			_ = p.rollback.run() // SQLite may have done it, and says so
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("writing rows: %w", ctx.Err())
	}
	return err
}

func (p *inserter) add(ctx context.Context, rows []ledger.Row) error {
	clear(p.buckets)
	for i := range rows {
		if i%turn == turn-1 {
			runtime.Gosched()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r := &rows[i]
		p.insert.addNumber(r.Time.UnixMicro())
		r.Values(p.texts, p.numbers)
		if err := p.insert.run(); err != nil {
			return refused("writing rows", err)
		}
		if p.conn.changes() == 0 {
			continue // it was there
		}
		b := r.Bucket()
		sum := p.buckets[b]
		sum.Add(r)
		p.buckets[b] = sum
	}
	for bucket, sum := range p.buckets {
		p.sums.addNumber(bucket.Hour.UnixMicro())
		bucket.Values(p.sums.addText, p.sums.addNumber)
		sum.Values(p.sums.addNumber)
		if err := p.sums.run(); err != nil {
			return refused("adding sums", err)
		}
	}
	return nil
}

// refused tells errors about the row from those about the database.
func refused(doing string, err error) error {
	var f *failure
	if errors.As(err, &f) {
		switch f.code & 0xff {
		case errorcodes.SQLITE_CONSTRAINT, errorcodes.SQLITE_MISMATCH, errorcodes.SQLITE_TOOBIG:
			return fmt.Errorf("%s: %w: %w", doing, ledger.ErrRejected, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
