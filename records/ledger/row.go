// Package ledger is the shape of the usage ledger: its rows, the stores that
// keep them and the questions that they answer. The packages journal, sqlite
// and postgres are built on it; it knows neither Caddy nor a database.
package ledger

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// Interrupted is the error of a row whose gateway died while the request ran:
// its counts are those of the last checkpoint.
const Interrupted = "interrupted"

// Row is one request of the ledger, named by RequestID. Its JSON members are
// the columns of the stores' usage tables.
type Row struct {
	RequestID string `json:"request_id"`

	// Time is when the request began, in UTC and whole microseconds, which is
	// what both databases can hold.
	Time time.Time `json:"time"`

	Key           string `json:"key"`
	Principal     string `json:"principal"`
	Team          string `json:"team"`
	User          string `json:"user"`
	Site          string `json:"site"`
	Dialect       string `json:"dialect"`
	Operation     string `json:"operation"`
	Model         string `json:"model"`
	Provider      string `json:"provider"`
	UpstreamModel string `json:"upstream_model"`
	// CountedAs is the model that limits count the request for; empty where its
	// client has named the target itself, and in rows from before it was kept.
	CountedAs    string `json:"counted_as"`
	UpstreamID   string `json:"upstream_id"`
	Stream       bool   `json:"stream"`
	Status       int64  `json:"status"`
	Error        string `json:"error"`
	Phase        string `json:"error_phase"`
	FinishReason string `json:"finish_reason"`
	ClientGone   bool   `json:"client_gone"`
	Cache        string `json:"cache"`
	Attempts     int64  `json:"attempts"`
	BytesOut     int64  `json:"bytes_out"`

	// Tokens, as in wire.Usage: the whole includes its parts.
	Input       int64  `json:"input_tokens"`
	Output      int64  `json:"output_tokens"`
	CacheRead   int64  `json:"cached_tokens"`
	CacheWrite  int64  `json:"cache_write_tokens"`
	Reasoning   int64  `json:"reasoning_tokens"`
	UsageSource string `json:"usage_source"`

	// Nano-dollars. Priced is false where no price was known: a cost of 0 is
	// then not "free", and any other is an estimate, whose PriceVersion names
	// the model of the price after a ~.
	CostNano       int64 `json:"cost_nano"`
	CostInput      int64 `json:"cost_input_nano"`
	CostOutput     int64 `json:"cost_output_nano"`
	CostCacheRead  int64 `json:"cost_cache_read_nano"`
	CostCacheWrite int64 `json:"cost_cache_write_nano"`
	CostReasoning  int64 `json:"cost_reasoning_nano"`
	CostMedia      int64 `json:"cost_media_nano"` // audio and pictures
	CostOther      int64 `json:"cost_other_nano"` // calls, searches, seconds
	Priced         bool  `json:"priced"`
	// SavedNano is what an answer had cost that was not paid for again.
	SavedNano    int64  `json:"saved_nano"`
	PriceVersion string `json:"price_version"`

	// Timings in microseconds; 0 for a phase that there was none of.
	AuthMicros       int64 `json:"auth_us"`
	QueueMicros      int64 `json:"queue_us"`
	LimitMicros      int64 `json:"limit_us"`
	CacheMicros      int64 `json:"cache_us"`
	RouteMicros      int64 `json:"route_us"`
	UpstreamMicros   int64 `json:"upstream_us"`
	FirstTokenMicros int64 `json:"ttft_us"`
	TotalMicros      int64 `json:"total_us"`
}

// Progress is what a request that still runs has used so far. The counts are
// totals since its begin, not differences.
type Progress struct {
	Usage    wire.Usage
	CostNano int64
	BytesOut int64
}

// FromRecord is the row of a record, which is to be cleaned.
func FromRecord(r *gateway.Record) Row {
	row := Row{
		RequestID:     r.RequestID,
		Time:          r.Time,
		Key:           r.Key,
		Principal:     r.Principal,
		Team:          r.Team,
		User:          r.User,
		Dialect:       string(r.Dialect),
		Operation:     r.Operation,
		Model:         r.Model,
		Provider:      r.Provider,
		UpstreamModel: r.UpstreamModel,
		CountedAs:     r.CountedAs,
		UpstreamID:    r.UpstreamID,
		Stream:        r.Stream,
		Status:        int64(r.Status),
		Error:         r.Error,
		Phase:         r.Phase,
		FinishReason:  r.FinishReason,
		ClientGone:    r.ClientGone,
		Cache:         r.Cache,
		Attempts:      int64(r.Attempts),
		BytesOut:      r.BytesOut,
		UsageSource:   r.UsageSource,

		CostNano:       r.Cost.Total,
		CostInput:      r.Cost.Input,
		CostOutput:     r.Cost.Output,
		CostCacheRead:  r.Cost.CacheRead,
		CostCacheWrite: r.Cost.CacheWrite,
		CostReasoning:  r.Cost.Reasoning,
		CostMedia:      limits.Add(r.Cost.Audio, r.Cost.Image),
		CostOther:      r.Cost.Other,
		Priced:         r.Priced,
		SavedNano:      r.Saved,
		PriceVersion:   r.Cost.PriceVersion,

		AuthMicros:       r.Timings.Auth.Microseconds(),
		QueueMicros:      r.Timings.Queue.Microseconds(),
		LimitMicros:      r.Timings.Limit.Microseconds(),
		CacheMicros:      r.Timings.Cache.Microseconds(),
		RouteMicros:      r.Timings.Route.Microseconds(),
		UpstreamMicros:   r.Timings.Upstream.Microseconds(),
		FirstTokenMicros: r.Timings.FirstToken.Microseconds(),
		TotalMicros:      r.Timings.Total.Microseconds(),
	}
	row.setUsage(r.Usage)
	return row
}

func (r *Row) setUsage(u wire.Usage) {
	r.Input, r.Output, r.CacheRead, r.CacheWrite, r.Reasoning = u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Reasoning
}

// Progress is what the row says was used.
func (r *Row) Progress() Progress {
	return Progress{
		Usage:    wire.Usage{Input: r.Input, Output: r.Output, CacheRead: r.CacheRead, CacheWrite: r.CacheWrite, Reasoning: r.Reasoning},
		CostNano: r.CostNano, BytesOut: r.BytesOut,
	}
}

// Interrupt is the row of a request that p is the last known of.
func (r *Row) Interrupt(p Progress) {
	r.setUsage(p.Usage)
	r.CostNano, r.BytesOut = p.CostNano, p.BytesOut
	r.Error, r.UsageSource = Interrupted, gateway.SourceEstimated
	r.Clean()
}

const (
	maxText   = 512           // bytes; names longer than that are cut
	maxTokens = 1_000_000_000 // no request has more
	maxMoney  = 1e15          // nano-dollars, a million dollars
)

// Clean makes the row one that every store takes. Names may be a client's own
// bytes: PostgreSQL refuses NUL and what is no UTF-8, and one row that is
// refused would hold up all those behind it. Counts are a vendor's word: sums
// of absurd ones would overflow.
func (r *Row) Clean() {
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	if r.Time.Before(earliest) || !r.Time.Before(latest) {
		r.Time = earliest // a clock that is not set, or a damaged file
	}
	for _, s := range r.texts() {
		if !plain(*s) {
			*s = cleanText(*s)
		}
	}
	for _, n := range r.counts() {
		*n = min(max(*n, 0), maxMoney)
	}
	for _, n := range [...]*int64{&r.Input, &r.Output, &r.CacheRead, &r.CacheWrite, &r.Reasoning} {
		*n = min(*n, maxTokens)
	}
	r.Status = min(r.Status, 999)
}

// Times outside of these are not told apart.
var earliest, latest = time.Unix(0, 0).UTC(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// plain reports whether s is short ASCII text, as nearly all are.
func plain(s string) bool {
	if len(s) > maxText {
		return false
	}
	for i := range len(s) {
		if s[i]-1 >= utf8.RuneSelf-1 { // NUL wraps around
			return false
		}
	}
	return true
}

func cleanText(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "�")
	}
	return strings.ToValidUTF8(s, "�")
}

// texts and counts are the fields in the order of the journal's encoding. New
// ones go to the end: older journals must stay readable.
func (r *Row) texts() [19]*string {
	return [...]*string{
		&r.RequestID, &r.Key, &r.Principal, &r.Team, &r.User, &r.Site, &r.Dialect, &r.Operation, &r.Model, &r.Provider,
		&r.UpstreamModel, &r.UpstreamID, &r.Error, &r.Phase, &r.FinishReason, &r.Cache, &r.UsageSource, &r.PriceVersion,
		&r.CountedAs,
	}
}

func (r *Row) counts() [25]*int64 {
	return [...]*int64{
		&r.Status, &r.Attempts, &r.BytesOut,
		&r.Input, &r.Output, &r.CacheRead, &r.CacheWrite, &r.Reasoning,
		&r.CostNano, &r.CostInput, &r.CostOutput, &r.CostCacheRead, &r.CostCacheWrite, &r.CostReasoning, &r.CostMedia, &r.CostOther,
		&r.AuthMicros, &r.QueueMicros, &r.LimitMicros, &r.CacheMicros, &r.RouteMicros, &r.UpstreamMicros, &r.FirstTokenMicros, &r.TotalMicros,
		&r.SavedNano,
	}
}

func (r *Row) flags() [3]*bool { return [...]*bool{&r.Stream, &r.ClientGone, &r.Priced} }
