package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// sweepEvery is about how long expired rows lie around, before their number.
	sweepEvery = 30 * time.Second

	// sweepRows are deleted at once, so that locks are short.
	sweepRows = 500
)

// sweep deletes what has expired, until Close. Nothing that has is found before
// either.
func (c *Cache) sweep() {
	for {
		// Instances that were started together do not go on together.
		pause := sweepEvery/2 + rand.N(sweepEvery)
		select {
		case <-c.background.Done():
			return
		case <-time.After(pause):
		}
		if c.breaker.Allow() {
			_ = c.sweepAll()
		}
	}
}

// sweepAll deletes until nothing is left, or another instance is at it.
func (c *Cache) sweepAll() error {
	for _, statement := range c.names.sweeps {
		for more := true; more; {
			var err error
			if more, err = c.sweepSome(statement); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cache) sweepSome(statement string) (more bool, err error) {
	err = c.write(func(ctx context.Context, tx pgx.Tx) error {
		var alone bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", c.names.schema.Lock+1).Scan(&alone); err != nil || !alone {
			return err
		}
		done, err := tx.Exec(ctx, statement, sweepRows)
		more = done.RowsAffected() == sweepRows
		return err
	})
	if err != nil {
		return false, fmt.Errorf("deleting what has expired: %w", err)
	}
	return more, nil
}
