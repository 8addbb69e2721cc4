package ledger

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
)

// SQL is what differs between databases in the questions that are asked of
// the tables `usage` (one row per request) and `usage_hourly` (its sums).
type SQL struct {
	// Usage and Hourly are the tables.
	Usage, Hourly string

	// Param is the nth parameter, from 1, as a value of its column's type.
	Param func(n int) string

	// Time is a time as a parameter.
	Time func(t time.Time) any

	// HourOf is the expression for the hour of the column "time", HourText and
	// DayText for the text of the column "hour".
	HourOf, HourText, DayText string

	// Sum is a format for a column's sum, as a whole number.
	Sum string
}

// sums are the counted columns of usage_hourly, and what a row of usage adds
// to each.
var sums = [...]struct{ hourly, row string }{
	{"requests", "1"},
	{"input_tokens", `"input_tokens"`},
	{"output_tokens", `"output_tokens"`},
	{"cached_tokens", `"cached_tokens"`},
	{"cost_nano", `"cost_nano"`},
	{"unpriced", `CASE WHEN "priced" OR "input_tokens" + "output_tokens" = 0 THEN 0 ELSE 1 END`},
	{"cache_hits", `CASE WHEN "cache" IN ('hit', 'stale', 'semantic-hit', 'coalesced') THEN 1 ELSE 0 END`},
	{"saved_nano", `"saved_nano"`},
}

// Dimensions are the columns by which usage_hourly has its sums, besides the
// hour.
func Dimensions() []string { return append([]string(nil), dimensions...) }

// SumColumns are the counted columns of usage_hourly, in the order of the
// values of Totals.Values.
func SumColumns() []string {
	names := make([]string, len(sums))
	for i, s := range sums {
		names[i] = s.hourly
	}
	return names
}

// RowSums are the expressions for what a row of usage adds to SumColumns.
func RowSums() []string {
	exprs := make([]string, len(sums))
	for i, s := range sums {
		exprs[i] = s.row
	}
	return exprs
}

// Columns are the columns of the table usage but for time, request_id first.
// Their values are those of Row.Values.
func Columns() []string {
	return append(append(append([]string(nil), textColumns...), countColumns...), flagColumns...)
}

var (
	textColumns = []string{
		"request_id", "key", "principal", "team", "user", "site", "dialect", "operation", "model", "provider",
		"upstream_model", "upstream_id", "error", "error_phase", "finish_reason", "cache", "usage_source", "price_version",
		"counted_as",
	}
	countColumns = []string{
		"status", "attempts", "bytes_out",
		"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
		"cost_nano", "cost_input_nano", "cost_output_nano", "cost_cache_read_nano", "cost_cache_write_nano", "cost_reasoning_nano", "cost_media_nano", "cost_other_nano",
		"auth_us", "queue_us", "limit_us", "cache_us", "route_us", "upstream_us", "ttft_us", "total_us",
		"saved_nano",
	}
	flagColumns = []string{"stream", "client_gone", "priced"}
)

// Values hands over the values of Columns in their order; flags are 0 or 1.
func (r *Row) Values(text func(string), number func(int64)) {
	for _, s := range r.texts() {
		text(*s)
	}
	for _, n := range r.counts() {
		number(*n)
	}
	for _, f := range r.flags() {
		if *f {
			number(1)
		} else {
			number(0)
		}
	}
}

// Bucket is where usage_hourly counts a row.
type Bucket struct {
	Hour                                                                  time.Time
	Key, Principal, Team, User, Site, Model, CountedAs, Provider, Dialect string
	Status                                                                int64
}

// Bucket is the row's.
func (r *Row) Bucket() Bucket {
	return Bucket{
		Hour: r.Time.Truncate(time.Hour), Key: r.Key, Principal: r.Principal, Team: r.Team, User: r.User, Site: r.Site,
		Model: r.Model, CountedAs: r.CountedAs, Provider: r.Provider, Dialect: r.Dialect, Status: r.Status,
	}
}

// Values hands over those of Dimensions in their order.
func (b *Bucket) Values(text func(string), number func(int64)) {
	for _, s := range [...]string{b.Key, b.Principal, b.Team, b.User, b.Site, b.Model, b.CountedAs, b.Provider, b.Dialect} {
		text(s)
	}
	number(b.Status)
}

// Add counts a row.
func (t *Totals) Add(r *Row) {
	t.Requests++
	t.Input += r.Input
	t.Output += r.Output
	t.CacheRead += r.CacheRead
	t.CostNano += r.CostNano
	if !r.Priced && r.Input+r.Output > 0 {
		t.Unpriced++
	}
	if gateway.Free(r.Cache) {
		t.CacheHits++
	}
	t.SavedNano += r.SavedNano
}

// Values hands over those of SumColumns in their order.
func (t *Totals) Values(number func(int64)) {
	for _, n := range [...]int64{t.Requests, t.Input, t.Output, t.CacheRead, t.CostNano, t.Unpriced, t.CacheHits, t.SavedNano} {
		number(n)
	}
}

// Scan are the destinations of SumColumns.
func (t *Totals) Scan(dst []any) []any {
	return append(dst, &t.Requests, &t.Input, &t.Output, &t.CacheRead, &t.CostNano, &t.Unpriced, &t.CacheHits, &t.SavedNano)
}

// Select is the statement that answers q, and its arguments. Its columns are
// q.By as text and then SumColumns. Full hours come from the sums and the
// ends from single rows; rows before kept may have been removed, so that
// there the whole hour is taken.
func (s *SQL) Select(q Query, kept time.Time) (statement string, args []any, err error) {
	for _, name := range q.By {
		if !IsGroup(name) {
			return "", nil, fmt.Errorf("'%s' is nothing to group by", name)
		}
	}
	if q.Since.Before(kept) {
		q.Since = q.Since.Truncate(time.Hour)
	}
	if q.Until.Before(kept) {
		q.Until = ceilHour(q.Until)
	}
	param := func(v any) string {
		args = append(args, v)
		return s.Param(len(args))
	}
	where, err := s.where(q.Where, param)
	if err != nil {
		return "", nil, err
	}
	var parts []string
	part := func(table, hour, column string, columns []string, from, to time.Time) {
		if !from.Before(to) {
			return
		}
		b := new(strings.Builder)
		b.WriteString("SELECT ")
		for _, d := range dimensions {
			fmt.Fprintf(b, "%q, ", d)
		}
		fmt.Fprintf(b, `%s AS "hour"`, hour)
		for i, c := range columns {
			fmt.Fprintf(b, ", %s AS %q", c, sums[i].hourly)
		}
		fmt.Fprintf(b, ` FROM %s WHERE %s >= %s AND %s < %s`, table, column, param(s.Time(from)), column, param(s.Time(to)))
		b.WriteString(where)
		parts = append(parts, b.String())
	}
	first, last := ceilHour(q.Since), q.Until.Truncate(time.Hour)
	if last.Before(first) {
		part(s.Usage, s.HourOf, `"time"`, RowSums(), q.Since, q.Until)
	} else {
		part(s.Usage, s.HourOf, `"time"`, RowSums(), q.Since, first)
		part(s.Hourly, `"hour"`, `"hour"`, quoted(SumColumns()), first, last)
		part(s.Usage, s.HourOf, `"time"`, RowSums(), last, q.Until)
	}
	if len(parts) == 0 { // nothing lies between: an empty part keeps the columns
		q.Until = q.Since.Add(time.Microsecond)
		part(s.Usage, s.HourOf, `"time"`, RowSums(), q.Since, q.Until)
		parts[0] += " AND 1 = 0"
	}
	return s.outer(q.By, parts), args, nil
}

func (s *SQL) outer(by, parts []string) string {
	groups := make([]string, len(by))
	for i, name := range by {
		switch name {
		case "hour":
			groups[i] = s.HourText
		case "day":
			groups[i] = s.DayText
		default:
			groups[i] = fmt.Sprintf("CAST(%q AS TEXT)", name)
		}
	}
	columns := append([]string(nil), groups...)
	for _, c := range SumColumns() {
		columns = append(columns, fmt.Sprintf(s.Sum, fmt.Sprintf("%q", c)))
	}
	statement := "SELECT " + strings.Join(columns, ", ") + " FROM (" + strings.Join(parts, " UNION ALL ") + ") AS parts"
	if len(groups) > 0 {
		list := strings.Join(groups, ", ")
		statement += " GROUP BY " + list + " ORDER BY " + list
	}
	return statement
}

// where is the condition, which is the same in every part.
func (s *SQL) where(equal map[string]string, param func(any) string) (string, error) {
	names := make([]string, 0, len(equal))
	for name := range equal {
		if !IsDimension(name) {
			return "", fmt.Errorf("'%s' is nothing to select on", name)
		}
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		if name == "status" { // a number; the casts of texts would keep indexes from use
			fmt.Fprintf(&b, ` AND CAST("status" AS TEXT) = %s`, param(equal[name]))
			continue
		}
		fmt.Fprintf(&b, " AND %q = %s", name, param(equal[name]))
	}
	return b.String(), nil
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = fmt.Sprintf("%q", name)
	}
	return out
}

func ceilHour(t time.Time) time.Time {
	if floor := t.Truncate(time.Hour); floor.Before(t) {
		return floor.Add(time.Hour)
	}
	return t
}
