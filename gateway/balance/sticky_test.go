package balance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestOnlyTheLostMove holds consistent hashing: when a target is gone, its
// sessions and no others go elsewhere, and spread.
func TestOnlyTheLostMove(t *testing.T) {
	const sessions = 20_000
	for name, p := range map[string]Policy{
		"equal":    NewKeyHash(nil, First{}),
		"weighted": NewKeyHash([]int{1, 1, 1, 1, 1, 1, 1, 1}, First{}),
	} {
		all := offer(8)
		rest := append(append([]Candidate(nil), all[:3]...), all[4:]...)
		var before, after [8]int
		for s := range sessions {
			r := &Request{Key: fmt.Sprintf("key-%d", s)}
			was := all[p.Pick(all, r)].Index
			is := rest[p.Pick(rest, r)].Index
			before[was]++
			after[is]++
			if was != 3 && was != is {
				t.Fatalf("%s: session %d moved from %d to %d", name, s, was, is)
			}
		}
		for i := range all {
			if want := sessions / 7; !near(before[i], sessions/8) || i != 3 && !near(after[i], want) {
				t.Errorf("%s: uneven: %v, then %v", name, before, after)
				break
			}
		}
	}
}

func TestHashWeights(t *testing.T) {
	p := NewHeaderHash("x-session", []int{3, 1, 0}, First{})
	candidates, counts := offer(3), [3]int{}
	for s := range 20_000 {
		counts[p.Pick(candidates, &Request{Header: http.Header{"X-Session": {fmt.Sprint(s)}}})]++
	}
	if !near(counts[0], 15_000) || !near(counts[1], 5000) || counts[2] != 0 {
		t.Errorf("picked %v", counts)
	}
}

// TestSameEverywhere pins where sessions go: another version that chose anew
// would turn every prompt cache cold, and a fleet half-way through an update
// would disagree.
func TestSameEverywhere(t *testing.T) {
	for _, tt := range []struct {
		value, name string
		want        uint64
	}{
		{"", "", 0xcce3d83ce0154637},
		{"ci", "openai/gpt-4.1", 0x978fabe5f4509265},
		{"a session with a long name", "anthropic/claude-sonnet-4-5", 0xe95c3a466245faaa},
	} {
		if got := digest(tt.name, digest(tt.value, 0)); got != tt.want {
			t.Errorf("%q, %q: %#x", tt.value, tt.name, got)
		}
	}
}

func TestWhatIsHashed(t *testing.T) {
	candidates := offer(8)
	fallback := First{}
	request := func(edit func(*Request)) *Request {
		r := &Request{Header: http.Header{"X-Session": {"s"}}, Host: "h", ClientIP: "192.0.2.1", Key: "k"}
		edit(r)
		return r
	}
	for name, c := range map[string]struct {
		p            Policy
		same, absent func(*Request)
		vary         func(*Request, string)
	}{
		"header": {
			NewHeaderHash("x-session", nil, fallback),
			func(r *Request) { r.Key, r.ClientIP = "other", "other" },
			func(r *Request) { r.Header = nil },
			func(r *Request, v string) { r.Header = http.Header{"X-Session": {v}} },
		},
		"Host": {
			NewHeaderHash("host", nil, fallback),
			func(r *Request) { r.Header.Set("Host", "x") },
			func(r *Request) { r.Host = "" },
			func(r *Request, v string) { r.Host = v },
		},
		"client_ip_hash": {
			NewClientIPHash(nil, fallback),
			func(r *Request) { r.Key = "other" },
			func(r *Request) { r.ClientIP = "" },
			func(r *Request, v string) { r.ClientIP = v },
		},
		"key_hash": {
			NewKeyHash(nil, fallback),
			func(r *Request) { r.ClientIP, r.Header = "other", nil },
			func(r *Request) { r.Key = "" },
			func(r *Request, v string) { r.Key = v },
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := c.p.Pick(candidates, request(func(*Request) {}))
			if got := c.p.Pick(candidates, request(c.same)); got != at {
				t.Errorf("the rest of the request counts: %d, then %d", at, got)
			}
			if got := c.p.Pick(candidates, request(c.absent)); got != 0 {
				t.Errorf("without a value it picks %d, not what its fallback does", got)
			}
			seen := map[int]bool{}
			for i := range 100 {
				seen[c.p.Pick(candidates, request(func(r *Request) { c.vary(r, fmt.Sprint(i)) }))] = true
			}
			if len(seen) != len(candidates) {
				t.Errorf("100 values go to %d of %d", len(seen), len(candidates))
			}
		})
	}
}

// jar takes cookies.
type jar func(*http.Cookie)

func (j jar) SetCookie(c *http.Cookie) { j(c) }

func TestCookie(t *testing.T) {
	candidates := offer(6)
	p := NewCookie("lb", "secret", time.Hour, NewRandom(seeded()))
	var set *http.Cookie
	take := jar(func(c *http.Cookie) { set = c })
	first := p.Pick(candidates, &Request{Cookies: take})
	if set == nil || set.Name != "lb" || set.Path != "/" || !set.HttpOnly || set.Secure || set.SameSite != http.SameSiteLaxMode || set.MaxAge != 3600 {
		t.Fatalf("cookie %+v", set)
	}
	if strings.Contains(set.Value, "provider") || len(set.Value) != 64 {
		t.Errorf("the cookie tells: %s", set.Value)
	}
	known := set
	for _, line := range []string{"lb=" + known.Value, `a=b; lb="` + known.Value + `"; c=d`, "x=lb;lb=" + known.Value, "novalue; lb=" + known.Value} {
		set = nil
		if got := p.Pick(candidates, &Request{Header: http.Header{"Cookie": {"other=1", line}}, Cookies: take}); got != first || set != nil {
			t.Errorf("%s: picked %d, not %d; cookie %v", line, got, first, set)
		}
	}
	for _, line := range []string{"lb=", "lb=" + strings.Repeat("0", 64), "lb=" + known.Value[:63], "LB=" + known.Value, "xlb=" + known.Value} {
		set = nil
		p.Pick(candidates, &Request{Header: http.Header{"Cookie": {line}}, Cookies: take, Secure: true})
		if set == nil || !set.Secure || set.SameSite != http.SameSiteNoneMode {
			t.Errorf("%s: cookie %+v", line, set)
		}
	}
	// Its target is gone: a new one, and a new cookie.
	set = nil
	rest := append(append([]Candidate(nil), candidates[:first]...), candidates[first+1:]...)
	moved := p.Pick(rest, &Request{Header: http.Header{"Cookie": {"lb=" + known.Value}}, Cookies: take})
	if set == nil || set.Value != p.value(rest[moved].Name) || set.Value == known.Value {
		t.Errorf("after its target is gone: %+v", set)
	}
	if other := NewCookie("lb", "another", 0, First{}); other.value(candidates[first].Name) == known.Value {
		t.Error("the secret does not count")
	}
	p.Pick(candidates, &Request{}) // nothing can be set: no crash
}

// TestCookieIsBounded holds that invented names take no memory.
func TestCookieIsBounded(t *testing.T) {
	p := NewCookie("lb", "", 0, First{})
	for i := range 2 * maxKnown {
		p.value(fmt.Sprint(i))
	}
	if n := len(*p.known.Load()); n != maxKnown {
		t.Errorf("%d values are kept", n)
	}
}
