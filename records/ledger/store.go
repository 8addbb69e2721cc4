package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Store keeps rows for good: the interface of the modules `ai.records.*`. It
// is used by many goroutines at once.
type Store interface {
	// Put adds rows, all or none of them. Rows whose request is there already
	// change nothing: whoever does not know whether a Put arrived sends it
	// again. An error that wraps ErrRejected is about the rows themselves. They
	// are the caller's again when Put returns.
	Put(ctx context.Context, rows []Row) error

	// Query sums rows up, in the order of the values of q.By.
	Query(ctx context.Context, q Query) ([]Sum, error)

	// Retain removes what is older than the store's settings want it kept.
	Retain(ctx context.Context, now time.Time) error

	// Close ends the store's use of its database.
	Close() error
}

// ErrRejected says that a database refuses a row whatever the state of the
// database: to send it again would be of no use.
var ErrRejected = errors.New("the store refuses the row")

// Totals are sums over rows. Money is in nano-dollars.
type Totals struct {
	Requests  int64
	Input     int64
	Output    int64
	CacheRead int64
	CostNano  int64

	// Unpriced counts the requests that used tokens whose price was unknown;
	// CostNano has estimates of them or lacks them.
	Unpriced int64

	// CacheHits counts the requests that were served with an answer that had been
	// paid for, SavedNano what those had cost.
	CacheHits int64
	SavedNano int64
}

// Query says what to sum up: the rows with Since ≤ Time < Until whose columns
// have the values of Where, grouped By. A time before rows were removed by
// age is taken to the full hour.
type Query struct {
	By           []string
	Since, Until time.Time
	Where        map[string]string
}

// Sum is one group of a query's answer. Group has the values of By in its
// order: hours as RFC 3339, days as 2006-01-02, both in UTC.
type Sum struct {
	Group []string
	Totals
}

// dimensions are the columns that a query may group by and select on, as they
// stand in the tables of sums. Hour and day are groups too.
var dimensions = []string{"key", "principal", "team", "user", "site", "model", "counted_as", "provider", "dialect", "status"}

// IsDimension reports whether a query may select on a column.
func IsDimension(name string) bool {
	for _, d := range dimensions {
		if d == name {
			return true
		}
	}
	return false
}

// IsGroup reports whether a query may group by name.
func IsGroup(name string) bool { return name == "hour" || name == "day" || IsDimension(name) }

// ParseScope splits the name of a scope into the column and value that its
// rows have; both are empty for `global`.
func ParseScope(scope string) (column, value string, err error) {
	if scope == "global" {
		return "", "", nil
	}
	column, value, ok := strings.Cut(scope, ":")
	if !ok || !IsDimension(column) || column == "status" || column == "dialect" {
		return "", "", fmt.Errorf("scope '%s' is none of the ledger", scope)
	}
	return column, value, nil
}

// Retention is how long a store keeps things; 0 is for ever.
type Retention struct {
	// Rows is for single requests. A row that is delivered twice is known by
	// its request as long as it is kept, so this is 24 h at least.
	Rows time.Duration

	// Sums is for the sums by hour.
	Sums time.Duration
}

// DefaultRetention keeps requests for a quarter and sums for ever.
var DefaultRetention = Retention{Rows: 90 * 24 * time.Hour}

// Configured is the retention that a configuration asks for: 0 is the default
// and what is below 0 is for ever.
func Configured(rows, sums time.Duration) Retention {
	r := Retention{Rows: rows, Sums: max(sums, 0)}
	switch {
	case rows == 0:
		r.Rows = DefaultRetention.Rows
	case rows < 0:
		r.Rows = 0
	}
	return r
}

// Validate reports what cannot be kept to.
func (r Retention) Validate() error {
	const day = 24 * time.Hour
	switch {
	case r.Rows < 0 || r.Sums < 0:
		return errors.New("retention must not be negative")
	case r.Rows > 0 && r.Rows < day:
		return fmt.Errorf("retention of %v is less than 24h, in which a delivery may be repeated", r.Rows)
	case r.Sums > 0 && (r.Rows == 0 || r.Sums < r.Rows):
		return errors.New("sums must be kept as long as requests at least")
	}
	return nil
}
