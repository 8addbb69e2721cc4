package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func said(lines ...string) *http.Request {
	r := &http.Request{Header: make(http.Header)}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestDirectives(t *testing.T) {
	given := func(d time.Duration) bound { return bound{true, d} }
	numbers := func(n int) string { return strings.Repeat("ab,", n) }
	sixteen := "t0,t1,t2,t3,t4,t5,t6,t7,t8,t9,ta,tb,tc,td,te,tf"
	for _, tt := range []struct {
		name  string
		lines []string
		want  directives
	}{
		{"nothing", nil, directives{}},
		{"others", []string{"Cache-Control: no-transform, private, community=\"UCI, max-age=5\""}, directives{}},
		{"no-store", []string{"Cache-Control: no-store"}, directives{bypass: true}},
		{"no-cache", []string{"Cache-Control: No-Cache"}, directives{refresh: true}},
		{"all at once", []string{"Cache-Control: max-age=60,min-fresh=5 ,\tmax-stale=10 , only-if-cached"}, directives{onlyIfCached: true, maxAge: given(time.Minute), minFresh: given(5 * time.Second), maxStale: given(10 * time.Second)}},
		{"several lines", []string{"Cache-Control: max-age=60", "Cache-Control: only-if-cached"}, directives{onlyIfCached: true, maxAge: given(time.Minute)}},
		{"quoted", []string{`Cache-Control: max-age="60" , no-cache`}, directives{refresh: true, maxAge: given(time.Minute)}},
		{"spaces around the sign", []string{`Cache-Control: max-age = 60`}, directives{maxAge: given(time.Minute)}},
		{"any staleness", []string{"Cache-Control: max-stale"}, directives{maxStale: given(forever)}},
		{"no staleness", []string{"Cache-Control: max-stale=0"}, directives{maxStale: given(0)}},
		{"too large", []string{"Cache-Control: max-age=99999999999999999999999"}, directives{maxAge: given((1<<31 - 1) * time.Second)}},
		{"the strictest of several", []string{"Cache-Control: max-age=9, max-age=5, max-age=7, min-fresh=1, min-fresh=3, min-fresh=2, max-stale=4, max-stale, max-stale=2, max-stale=3"}, directives{maxAge: given(5 * time.Second), minFresh: given(3 * time.Second), maxStale: given(2 * time.Second)}},

		{"no number", []string{"Cache-Control: max-age=soon"}, directives{maxAge: given(0)}},
		{"negative", []string{"Cache-Control: max-age=-5"}, directives{maxAge: given(0)}},
		{"a fraction", []string{"Cache-Control: max-age=5.5"}, directives{maxAge: given(0)}},
		{"no value", []string{"Cache-Control: max-age, min-fresh="}, directives{maxAge: given(0), minFresh: given(forever)}},
		{"min-fresh of nothing", []string{"Cache-Control: min-fresh=x"}, directives{minFresh: given(forever)}},
		{"max-stale of nothing", []string{"Cache-Control: max-stale=x, max-stale"}, directives{maxStale: given(0)}},
		{"max-stale of an empty value", []string{`Cache-Control: max-stale=`, `Cache-Control: max-stale=""`}, directives{maxStale: given(0)}},
		{"quotes that never end", []string{`Cache-Control: max-stale="5, max-age=9`}, directives{maxStale: given(0)}},
		{"an escape", []string{`Cache-Control: max-stale="5\"", no-cache`}, directives{refresh: true, maxStale: given(0)}},
		{"text behind quotes", []string{`Cache-Control: max-stale="5"0, no-cache`}, directives{refresh: true, maxStale: given(0)}},

		{"our no-store", []string{"X-AI-Cache: no-store"}, directives{bypass: true}},
		{"our refresh", []string{"X-AI-Cache:  Refresh "}, directives{refresh: true}},
		{"neither", []string{"X-AI-Cache: off"}, directives{bypass: true}},
		{"empty", []string{"X-AI-Cache: "}, directives{}},

		{"semantic off", []string{"X-AI-Cache-Semantic: OFF"}, directives{exactly: true}},
		{"semantic on", []string{"X-AI-Cache-Semantic: on"}, directives{}},
		{"semantic maybe", []string{"X-AI-Cache-Semantic: maybe"}, directives{exactly: true}},
		{"threshold", []string{"X-AI-Cache-Threshold: 0.97", "X-AI-Cache-Threshold: 0.9"}, directives{threshold: 0.97}},
		{"threshold above one", []string{"X-AI-Cache-Threshold: 1.01"}, directives{exactly: true}},
		{"threshold below nothing", []string{"X-AI-Cache-Threshold: -1"}, directives{exactly: true}},
		{"threshold is none", []string{"X-AI-Cache-Threshold: NaN"}, directives{exactly: true}},
		{"threshold in words", []string{"X-AI-Cache-Threshold: high"}, directives{exactly: true}},

		{"tags", []string{"X-AI-Cache-Tags: a, team/7.x,, a", "X-AI-Cache-Tags: b_c@d+e-f"}, directives{tags: []string{"a", "team/7.x", "b_c@d+e-f"}}},
		{"as many tags as there may be", []string{"X-AI-Cache-Tags: " + sixteen + ",t0"}, directives{tags: strings.Split(sixteen, ",")}},
		{"the same tag often", []string{"X-AI-Cache-Tags: " + numbers(1000)}, directives{tags: []string{"ab"}}},
		{"too many tags", []string{"X-AI-Cache-Tags: " + sixteen + ",u"}, directives{unkept: true}},
		{"too long a tag", []string{"X-AI-Cache-Tags: a, " + strings.Repeat("x", 65)}, directives{unkept: true}},
		{"a tag that every answer has", []string{"X-AI-Cache-Tags: all"}, directives{unkept: true}},
		{"a tag of a model", []string{"X-AI-Cache-Tags: model:x", "X-AI-Cache-Tags: a"}, directives{unkept: true}},
		{"a tag with a space", []string{"X-AI-Cache-Tags: a b"}, directives{unkept: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := directivesOf(said(tt.lines...))
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(directives{}, bound{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDirectivesCostNothing(t *testing.T) {
	r := said("Authorization: Bearer x")
	if n := testing.AllocsPerRun(100, func() { _ = directivesOf(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAccepts(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		control         string
		age, ttl, grace time.Duration
		want            bool
	}{
		{"", 0, s, 0, true},
		{"", 0, 0, 0, false},
		{"", 9 * s, -s, 0, false},
		{"", 9 * s, -s, 2 * s, true},
		{"", 9 * s, -3 * s, 2 * s, false},
		{"no-store", 0, s, 2 * s, false},
		{"no-cache", 0, s, 2 * s, false},
		{"max-age=5", 5 * s, s, 0, true},
		{"max-age=5", 6 * s, s, 0, false},
		{"max-age=0", 1, s, 0, false},
		{"max-age=20", 9 * s, -s, 2 * s, false},
		{"max-age=20, max-stale=1", 9 * s, -s, 0, true},
		{"max-age=5, max-stale=1", 9 * s, -s, 0, false},
		{"min-fresh=3", 0, 3 * s, 0, true},
		{"min-fresh=3", 0, 2 * s, 0, false},
		{"min-fresh=0", 0, -s, 2 * s, false},
		{"min-fresh=0, max-stale", 0, -s, 2 * s, false},
		{"max-stale=2", 9 * s, -2 * s, 0, true},
		{"max-stale=2", 9 * s, -3 * s, 0, false},
		{"max-stale=2", 9 * s, -3 * s, 10 * s, false},
		{"max-stale=0", 9 * s, -s, 10 * s, false},
		{"max-stale", 9 * s, -300 * s, 0, true},
		{"only-if-cached", 9 * s, s, 0, true},
	} {
		d := directivesOf(said("Cache-Control: " + tt.control))
		if got := d.accepts(tt.age, tt.ttl, tt.grace); got != tt.want {
			t.Errorf("'%s': age %v, ttl %v, grace %v: %v", tt.control, tt.age, tt.ttl, tt.grace, got)
		}
	}
}

func TestSimilar(t *testing.T) {
	for _, tt := range []struct {
		line       string
		similarity float64
		want       bool
	}{
		{"", 0.95, true},
		{"", 0.9499, false},
		{"X-AI-Cache-Threshold: 0.97", 0.97, true},
		{"X-AI-Cache-Threshold: 0.97", 0.96, false},
		{"X-AI-Cache-Threshold: 0.5", 0.94, false}, // it can only be raised
		{"X-AI-Cache-Semantic: off", 1, false},
		{"X-AI-Cache-Threshold: low", 1, false},
	} {
		d := directivesOf(said(tt.line))
		if got := d.similar(tt.similarity, 0.95); got != tt.want {
			t.Errorf("'%s': %v: %v", tt.line, tt.similarity, got)
		}
	}
}

// FuzzDirectives holds that whatever a client says beside other words never makes
// these laxer; only max-stale may.
func FuzzDirectives(f *testing.F) {
	for _, seed := range []string{
		"", "no-store", "no-cache, max-age=5", `max-age="5`, `max-stale="\"5", x`, "=,=,=", "refresh", "0.97", "a, b c", `a="b"c,min-fresh=1e9`,
		"max-age=99999999999999999999", "\x00=\xff",
	} {
		f.Add(seed, "max-age=3, min-fresh=1", int64(2), int64(2), int64(0))
		f.Add(seed, "", int64(2), int64(-2), int64(5))
	}
	f.Fuzz(func(t *testing.T, more, base string, age, ttl, grace int64) {
		with := func(lines ...string) directives {
			r := said()
			r.Header[headerCacheControl] = lines
			r.Header[headerCache], r.Header[headerCacheTags] = lines[1:], lines[1:]
			r.Header[headerCacheThreshold], r.Header[headerCacheSemantic] = lines[1:], lines[1:]
			return directivesOf(r)
		}
		before, after := with(base), with(base, more)
		if len(after.tags) > maxTags || !(after.threshold >= 0 && after.threshold <= 1) {
			t.Fatalf("%d tags, threshold %v", len(after.tags), after.threshold)
		}
		for _, tag := range after.tags {
			if !validTag(tag) {
				t.Fatalf("tag %q", tag)
			}
		}
		if after.keeps() && !before.keeps() || after.similar(0.5, 0.4) && !before.similar(0.5, 0.4) {
			t.Fatalf("%q made %+v to %+v", more, before, after)
		}
		if strings.Contains(strings.ToLower(more), "max-stale") {
			return
		}
		a, l, g := time.Duration(age), time.Duration(ttl), time.Duration(grace)
		if after.accepts(a, l, g) && !before.accepts(a, l, g) {
			t.Fatalf("%q made %+v to %+v", more, before, after)
		}
	})
}
