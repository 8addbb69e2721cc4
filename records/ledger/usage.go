package ledger

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultBy    = "key,model"
	defaultSince = 24 * time.Hour

	// queryTimeout bounds what a question may cost the store.
	queryTimeout = 30 * time.Second
)

// UsageHandler answers `GET /ai/usage?by=key,model&since=24h`. Parameters:
// `by`, the columns to group by, separated by commas; `since` and `until`, a
// duration before now (`24h`, `7d`), an RFC 3339 time or a date; a column's
// name, to select on its value; `format=csv`. The answer is
//
//	{"data": [{"key": …, "model": …, "requests": n, "input_tokens": n, "output_tokens": n, "cached_tokens": n, "cost_usd": x, "cache_hits": n, "saved_usd": x}]}
//
// with `unpriced_requests` where the price of some was not known. Errors are
// `{"error": "…"}`, as those of Caddy's admin endpoint.
func UsageHandler(store Store, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeError(w, http.StatusMethodNotAllowed, fmt.Errorf("method %s is not allowed", r.Method))
			return
		}
		q, format, err := parseQuery(r.URL.Query(), now().UTC())
		if err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		sums, err := store.Query(ctx, q)
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, fmt.Errorf("asking the ledger: %w", err))
			return
		}
		if format == "csv" {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			_ = writeCSV(w, q.By, sums)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(encodeSums(q.By, sums))
	})
}

func writeError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// parseQuery reads the parameters of a usage query. Unknown ones are errors: a
// misspelt filter would sum up everybody.
func parseQuery(values url.Values, now time.Time) (q Query, format string, err error) {
	q = Query{Since: now.Add(-defaultSince), Until: now, By: strings.Split(defaultBy, ",")}
	for name, list := range values {
		if len(list) != 1 {
			return q, "", fmt.Errorf("parameter '%s' is given twice", name)
		}
		value := list[0]
		switch {
		case name == "by":
			q.By, err = parseBy(value)
		case name == "since":
			q.Since, err = parseTime(value, now)
		case name == "until":
			q.Until, err = parseTime(value, now)
		case name == "format":
			if format = value; value != "csv" && value != "json" {
				err = fmt.Errorf("'%s' is neither json nor csv", value)
			}
		case IsDimension(name):
			if q.Where == nil {
				q.Where = make(map[string]string)
			}
			q.Where[name] = value
		default:
			err = fmt.Errorf("is none of by, since, until, format, %s", strings.Join(dimensions, ", "))
		}
		if err != nil {
			return q, "", fmt.Errorf("parameter '%s': %w", name, err)
		}
	}
	if q.Until.Before(q.Since) {
		return q, "", errors.New("parameter 'until' is before 'since'")
	}
	return q, format, nil
}

func parseBy(list string) (by []string, err error) {
	seen := make(map[string]bool)
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" && len(by) == 0 && !strings.Contains(list, ","):
			return nil, nil // everything in one sum
		case !IsGroup(name):
			return nil, fmt.Errorf("'%s' is none of %s, hour, day", name, strings.Join(dimensions, ", "))
		case seen[name]:
			return nil, fmt.Errorf("'%s' stands there twice", name)
		}
		seen[name] = true
		by = append(by, name)
	}
	return by, nil
}

// maxAge keeps times where every database can hold them.
const maxAge = 100 * 365 * 24 * time.Hour

// parseTime reads a duration before now, in days too, or a time.
func parseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			if t.Before(now.Add(-maxAge)) || t.After(now.Add(maxAge)) {
				return time.Time{}, fmt.Errorf("'%s' is too far away", s)
			}
			return t.UTC(), nil
		}
	}
	d, err := parseAge(s)
	if err != nil || d < 0 || d > maxAge {
		return time.Time{}, fmt.Errorf("'%s' is neither a duration before now such as 24h or 7d, nor an RFC 3339 time, nor a date", s)
	}
	return now.Add(-d), nil
}

func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// encodeSums is written by hand to keep the members in the order of the
// groups, and money as exact decimals.
func encodeSums(by []string, sums []Sum) []byte {
	b := []byte(`{"data":[`)
	for i, s := range sums {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		for j, name := range by {
			value, _ := json.Marshal(s.Group[j])
			if name == "status" {
				value = []byte(s.Group[j])
			}
			b = append(strconv.AppendQuote(b, name), ':')
			b = append(append(b, value...), ',')
		}
		b = fmt.Appendf(b, `"requests":%d,"input_tokens":%d,"output_tokens":%d,"cached_tokens":%d,"cost_usd":%s,"cache_hits":%d,"saved_usd":%s`,
			s.Requests, s.Input, s.Output, s.CacheRead, Dollars(s.CostNano), s.CacheHits, Dollars(s.SavedNano))
		if s.Unpriced > 0 {
			b = fmt.Appendf(b, `,"unpriced_requests":%d`, s.Unpriced)
		}
		b = append(b, '}')
	}
	return append(b, "]}\n"...)
}

func writeCSV(w io.Writer, by []string, sums []Sum) error {
	out := csv.NewWriter(w)
	_ = out.Write(append(append([]string(nil), by...), "requests", "input_tokens", "output_tokens", "cached_tokens", "cost_usd", "unpriced_requests", "cache_hits", "saved_usd"))
	for _, s := range sums {
		line := make([]string, 0, len(by)+8)
		for _, value := range s.Group {
			line = append(line, cell(value))
		}
		for _, n := range []int64{s.Requests, s.Input, s.Output, s.CacheRead} {
			line = append(line, strconv.FormatInt(n, 10))
		}
		_ = out.Write(append(line, Dollars(s.CostNano), strconv.FormatInt(s.Unpriced, 10), strconv.FormatInt(s.CacheHits, 10), Dollars(s.SavedNano)))
	}
	out.Flush()
	return out.Error()
}

// cell keeps a name that a client chose from being a formula where the file is
// opened in a spreadsheet (OWASP, CSV injection).
func cell(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// Dollars is an amount of nano-dollars as an exact decimal number.
func Dollars(nano int64) string {
	const dollar = 1_000_000_000
	whole, rest := nano/dollar, nano%dollar
	if rest == 0 {
		return strconv.FormatInt(whole, 10)
	}
	sign := ""
	if nano < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	return sign + strconv.FormatInt(whole, 10) + "." + strings.TrimRight(fmt.Sprintf("%09d", rest), "0")
}
