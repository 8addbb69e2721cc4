// Package pg is what all that keeps something in PostgreSQL does alike: how the
// address is read, and how a schema is made and brought up to date.
package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirproxy/weir/internal/secret"
)

// DefaultURL is the usual variable.
const DefaultURL = "{env.DATABASE_URL}"

const (
	// connectTimeout is for a URL that has no connect_timeout.
	connectTimeout = 5 * time.Second

	// maxConnections is for a URL that has no pool_max_conns.
	maxConnections = 4
)

// Parse reads `postgres://user@host/name` or a list of `key=value`, which beyond
// libpq's settings may have pgxpool's. Nothing is dialled.
func Parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's own error quotes the URL.
		return nil, errors.New("the url is no connection string of PostgreSQL")
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConnections
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "weir"
	}
	return config, nil
}

// CheckPassword refuses an address with a password that is not one
// placeholder, in either of the forms that PostgreSQL knows.
func CheckPassword(address string) error {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			if _, password, has := strings.Cut(rest[:at], ":"); has {
				if err := secret.CheckPassword(password); err != nil {
					return err
				}
			}
		}
	}
	for _, rest, ok := strings.Cut(address, "password"); ok; _, rest, ok = strings.Cut(rest, "password") {
		value, is := strings.CutPrefix(strings.TrimLeft(rest, blanks), "=")
		if !is {
			continue
		}
		value = strings.TrimLeft(value, blanks+"'")
		if end := strings.IndexAny(value, blanks+"&"); end >= 0 {
			value = value[:end]
		}
		if err := secret.CheckPassword(strings.TrimRight(value, "'")); err != nil {
			return err
		}
	}
	return nil
}

// blanks may stand around a key, its sign and its value.
const blanks = " \t\n\r\v\f"

// Schema is a set of tables and how they came to be.
type Schema struct {
	// Table says how many of the Migrations the database has seen. It is one that
	// only this schema has.
	Table string

	// Lock is the advisory lock under which one gateway of many migrates.
	Lock int64

	// Migrations take the schema from one version to the next. They are never
	// changed, only added to.
	Migrations []string
}

// Migrate brings the schema up to date; at most one of all that do it at a time.
func (s *Schema) Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.Lock); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", s.Table).Scan(&there); err != nil {
			return err
		}
		version := 0
		if !there {
			// Not IF NOT EXISTS alone: that needs the right to create even
			// where there is nothing to do.
			if _, err := tx.Exec(ctx, `CREATE TABLE `+s.Table+` ("version" integer NOT NULL)`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO "+s.Table+" VALUES (0)"); err != nil {
				return err
			}
		} else if err := tx.QueryRow(ctx, `SELECT "version" FROM `+s.Table).Scan(&version); err != nil {
			return err
		}
		if version > len(s.Migrations) {
			return fmt.Errorf("the database has version %d of the schema, and this program knows %d at most: a newer one has used it", version, len(s.Migrations))
		}
		if version == len(s.Migrations) {
			return nil
		}
		for _, m := range s.Migrations[version:] {
			if _, err := tx.Exec(ctx, m); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE `+s.Table+` SET "version" = $1`, len(s.Migrations))
		return err
	})
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}
