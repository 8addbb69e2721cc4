package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var durations = regexp.MustCompile(`(dur=|"ms":)[0-9.]+`)

// TestProbing holds that a tenant who asks for what another has asked for sees, and
// causes, just what he does with a request of which nobody has thought: headers, the
// steps that Server-Timing tells, calls and record.
func TestProbing(t *testing.T) {
	for _, site := range []string{"", "stale_if_error 1h\nttl 1ns", "stale_while_revalidate 1h\nttl 1ns", "coalesce off"} {
		for _, header := range [][]string{nil, {"Cache-Control", "only-if-cached"}, {"X-AI-Cache", "refresh"}, {"X-AI-Explain", "on"}, {"Cache-Control", "max-stale"}} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprint(site, header, stream), func(t *testing.T) {
					s := newStage(t, cachedModel+teamKeys, "cache exact {\n"+site+"\n}\ncache semantic {\nembedder two/text-embedding-3-small\ndeadline 10s\n}")
					s.plays("two", sameMeaning)
					before := 2 // what tenants do once each is behind them
					s.post(t, "/v1/chat/completions", wanting(stream, " first"), as(keyOfRed)...)
					s.post(t, "/v1/chat/completions", wanting(stream, " known"), as(keyOfCI)...)
					if !strings.Contains(site, "revalidate") { // whose background calls have no end that is seen here
						before += 2
						s.post(t, "/v1/chat/completions", wanting(stream, " first"), as(keyOfRed)...)
						s.post(t, "/v1/chat/completions", wanting(!stream, " known"), as(keyOfCI)...)
					}
					var seen [2]string
					for i, what := range []string{" known", " never"} {
						s.Records.Wait(t, before+i)
						s.called()
						got := s.post(t, "/v1/chat/completions", wanting(stream, what), append(as(keyOfRed), header...)...)
						for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
							got.header.Del(name)
						}
						_, names := s.called()
						seen[i] = durations.ReplaceAllString(fmt.Sprint(got.status, got.header, got.cut, names), "")
					}
					if diff := cmp.Diff(seen[1], seen[0]); diff != "" {
						t.Errorf("of what nobody has asked for (-) and of what another has (+)\n%s", diff)
					}
				})
			}
		}
	}
}
