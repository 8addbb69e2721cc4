package handlers

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The request headers about the cache, in canonical form. X-Ai-Cache is one of the
// answer too.
const (
	headerCacheControl   = "Cache-Control"
	headerCache          = "X-Ai-Cache"
	headerCacheTags      = "X-Ai-Cache-Tags"
	headerCacheThreshold = "X-Ai-Cache-Threshold"
	headerCacheSemantic  = "X-Ai-Cache-Semantic"
)

// Bounds of tags: each costs a look at its mark in every look-up.
const (
	maxTags = 16
	maxTag  = 64
	tagForm = "is no tag: up to 64 letters, digits and any of '-_./@+'"
)

// forever is longer than any answer is kept.
const forever = time.Duration(math.MaxInt64)

// directives are what a request's headers say about the cache. What cannot be read
// makes it stricter, never laxer: in doubt an answer is paid for.
type directives struct {
	bypass       bool // nothing is looked up, nothing kept
	refresh      bool // nothing is looked up, the new answer is kept
	unkept       bool // the answer is not kept, since its tags cannot be noted
	onlyIfCached bool // nothing is paid for

	maxAge   bound // how old an answer may be
	minFresh bound // how long it must still be fresh
	maxStale bound // how long it may have been stale

	exactly   bool    // no answer to a request that is only similar
	threshold float64 // what must be reached beside the configured one

	tags []string
}

// bound is a time that a client may have given.
type bound struct {
	given bool
	time.Duration
}

// least and most note one of perhaps several values.
func (b *bound) least(d time.Duration) {
	if !b.given || d < b.Duration {
		b.given, b.Duration = true, d
	}
}

func (b *bound) most(d time.Duration) {
	if !b.given || d > b.Duration {
		b.given, b.Duration = true, d
	}
}

// directivesOf reads the headers of r (RFC 9111, 5.2.1).
func directivesOf(r *http.Request) directives {
	var d directives
	for _, line := range r.Header[headerCacheControl] {
		eachDirective(line, d.cacheControl)
	}
	for _, line := range r.Header[headerCache] {
		eachDirective(line, d.own)
	}
	for _, line := range r.Header[headerCacheThreshold] {
		d.raise(strings.TrimSpace(line))
	}
	for _, line := range r.Header[headerCacheSemantic] {
		if !strings.EqualFold(strings.TrimSpace(line), "on") {
			d.exactly = true
		}
	}
	for _, line := range r.Header[headerCacheTags] {
		d.tag(line)
	}
	return d
}

// eachDirective calls use with every member of a list such as
// `no-cache, max-age="5"`; a value in quotes comes without them, and one that
// cannot be read as `?`.
func eachDirective(line string, use func(name, value string)) {
	for line != "" {
		end := strings.IndexAny(line, ",=")
		if end < 0 {
			end = len(line)
		}
		name := strings.TrimSpace(line[:end])
		value := ""
		if line = line[end:]; strings.HasPrefix(line, "=") {
			value, line = directiveValue(strings.TrimLeft(line[1:], " \t"))
		}
		line = strings.TrimPrefix(line, ",")
		if name != "" || value != "" {
			use(name, value)
		}
	}
}

// directiveValue reads a value and returns what is left from its comma on.
func directiveValue(line string) (value, rest string) {
	if !strings.HasPrefix(line, `"`) {
		end := strings.IndexByte(line, ',')
		if end < 0 {
			end = len(line)
		}
		if value = strings.TrimSpace(line[:end]); value == "" {
			value = "?"
		}
		return value, line[end:]
	}
	// An escape in a number is nobody's: the value need not be unescaped.
	for i := 1; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			value, rest = line[1:i], strings.TrimLeft(line[i+1:], " \t")
			if value != "" && (rest == "" || rest[0] == ',') {
				return value, rest
			}
			// Nothing in the quotes or more behind them: neither is to be trusted.
			if comma := strings.IndexByte(rest, ','); comma >= 0 {
				return "?", rest[comma:]
			}
			return "?", ""
		}
	}
	return "?", "" // the quotes never end
}

func (d *directives) cacheControl(name, value string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		d.bypass = true
	case strings.EqualFold(name, "no-cache"):
		d.refresh = true
	case strings.EqualFold(name, "only-if-cached"):
		d.onlyIfCached = true
	case strings.EqualFold(name, "max-age"):
		age, _ := deltaSeconds(value) // 0 where it cannot be read
		d.maxAge.least(age)
	case strings.EqualFold(name, "min-fresh"):
		fresh, ok := deltaSeconds(value)
		if !ok {
			fresh = forever
		}
		d.minFresh.most(fresh)
	case strings.EqualFold(name, "max-stale"):
		stale := forever // any, where no number is given
		if value != "" {
			stale, _ = deltaSeconds(value)
		}
		d.maxStale.least(stale)
	}
}

// deltaSeconds reads a number of seconds (RFC 9111, 1.2.2). One that is too
// large is the largest there is.
func deltaSeconds(text string) (d time.Duration, ok bool) {
	if text == "" {
		return 0, false
	}
	seconds := int64(0)
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		seconds = min(seconds*10+int64(c-'0'), math.MaxInt32)
	}
	return time.Duration(seconds) * time.Second, true
}

// own reads X-AI-Cache. A word that is not known is taken for a refusal: whoever
// writes it does not expect the usual.
func (d *directives) own(name, value string) {
	if strings.EqualFold(name, "refresh") && value == "" {
		d.refresh = true
		return
	}
	d.bypass = true
}

// raise reads X-AI-Cache-Threshold; of several the highest counts.
func (d *directives) raise(text string) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= 1) {
		d.exactly = true
		return
	}
	d.threshold = max(d.threshold, x)
}

// tag reads X-AI-Cache-Tags. An answer that lost a tag would outlive the tag's
// purge, so it is not kept.
func (d *directives) tag(line string) {
	for tag := range strings.SplitSeq(line, ",") {
		tag = strings.TrimSpace(tag)
		switch {
		case tag == "" || slices.Contains(d.tags, tag):
		case !validTag(tag) || len(d.tags) == maxTags:
			d.tags, d.unkept = nil, true
			return
		case !d.unkept:
			d.tags = append(d.tags, tag)
		}
	}
}

// validTag reports whether tag may be given to an answer. The colon is for those
// that every answer has, such as `model:gpt-4.1`, and `all` is one of them.
func validTag(tag string) bool {
	if tag == "" || len(tag) > maxTag || tag == "all" {
		return false
	}
	for i := range len(tag) {
		c := tag[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '/', c == '@', c == '+':
		default:
			return false
		}
	}
	return true
}

// looks reports whether the request may be served from the cache at all.
func (d *directives) looks() bool { return !d.bypass && !d.refresh }

// keeps reports whether the request's answer may be kept.
func (d *directives) keeps() bool { return !d.bypass && !d.unkept }

// accepts reports whether an answer will do that was made age ago and is fresh for
// ttl, which is negative when it has been stale for so long; the configuration
// serves answers that have been stale for up to grace.
func (d *directives) accepts(age, ttl, grace time.Duration) bool {
	switch {
	case !d.looks(), d.maxAge.given && age > d.maxAge.Duration:
		return false
	case d.minFresh.given: // which asks for a fresh one, whatever max-stale says
		return ttl > 0 && ttl >= d.minFresh.Duration
	case ttl > 0:
		return true
	case d.maxStale.given:
		return -ttl <= d.maxStale.Duration
	case d.maxAge.given: // which asks for a fresh one if it does not say max-stale
		return false
	}
	return grace > 0 && -ttl <= grace
}

// similar reports whether an answer to a request so similar will do.
func (d *directives) similar(similarity, threshold float64) bool {
	return !d.exactly && similarity >= max(threshold, d.threshold)
}
