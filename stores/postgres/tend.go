package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/cache"
)

// judge notes how a statement ended.
func (c *Cache) judge(ctx context.Context, err error) {
	switch {
	case err == nil || answered(err):
		// A server that refuses is there. Its tables may not be.
		c.breaker.Record(true)
		if missing(err) {
			c.ready.Store(false)
			c.kick()
		}
	case ctx.Err() != nil:
		// A client that leaves says nothing about the server.
	case c.breaker.Record(false):
		c.kick()
	}
}

// answered reports whether an error is a server's that works: not of the SQLSTATE
// classes 08, connections, 53, resources, and 57, shutdown and cancellation.
// Where there is no space left on the disk it can be read.
func answered(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) < 2 {
		return false
	}
	switch e.Code[:2] {
	case "08", "57":
		return false
	case "53":
		return e.Code == "53100"
	}
	return true
}

// missing reports whether a table, a column, a type or an operator is not there
// any more, or not yet.
func missing(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{"42P01", "42703", "42704", "42883"}, e.Code)
}

func (c *Cache) kick() {
	select {
	case c.kicks <- struct{}{}:
	default:
	}
}

// tend makes the schema, reads the marks when they may have changed, and closes
// the breaker when the server answers again, until Close.
func (c *Cache) tend() {
	pause, failing := probeFirst, false
	for {
		if err := c.look(); err != nil {
			c.breaker.Trip()
			if !failing {
				// What is broken would fail once more each.
				c.pool.Reset()
				if c.background.Err() == nil {
					c.logger.Warn("answers are not shared: postgresql cannot be used", zap.Error(err))
				}
			}
			pause, failing = min(2*pause, probeEvery), true
		} else {
			if failing {
				c.logger.Info("answers are shared again through postgresql")
			}
			pause, failing = tendEvery, false
		}
		select {
		case <-c.background.Done():
			// Closing waits for answers, which a server that hangs does not send.
			go c.pool.Close()
			return
		case <-c.kicks:
			pause = probeFirst
		case <-time.After(pause):
		}
	}
}

// look makes sure that all is known and there. A server that is slower than a
// request would wait stays away.
func (c *Cache) look() error {
	if !c.breaker.Allow() {
		// It may be another server by now.
		c.ready.Store(false)
	}
	if !c.ready.Load() {
		if err := c.prepare(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(c.background, slowly)
	defer cancel()
	conn, err := c.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to postgresql: %w", err)
	}
	defer conn.Release()
	if err := c.read(conn); err != nil {
		if missing(err) {
			c.ready.Store(false)
		}
		return err
	}
	if c.breaker.Allow() {
		return nil
	}
	// As a request would.
	begun := c.clock()
	if _, err := c.get(ctx, conn, cache.Key{}, 1); err != nil {
		return err
	}
	if c.clock().Sub(begun) > time.Duration(c.deadline.Load()) {
		return errAway
	}
	c.warm(ctx)
	c.breaker.Close()
	return nil
}

// warm makes the connections that requests will want. A server that has no room
// for all may be used with fewer.
func (c *Cache) warm(ctx context.Context) {
	for range c.pool.Config().MaxConns - 1 {
		conn, err := c.pool.Acquire(ctx)
		if err != nil {
			return
		}
		defer conn.Release()
	}
}
