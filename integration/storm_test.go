package integration

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// storm sends calls from many clients at once, every other one for a stream, and
// returns how many got a complete answer.
func (s *stage) storm(t *testing.T, model string, clients, each int) (complete int) {
	t.Helper()
	var good atomic.Int64
	var all sync.WaitGroup
	for n := range clients {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range each {
				body := asks(model)
				stream := (n+i)%2 == 0
				if stream {
					body = strings.Replace(body, "{", `{"stream":true,`, 1)
				}
				req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/chat/completions", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				got, err := s.send(req)
				if err != nil {
					t.Error(err)
					return
				}
				said := got.header.Get("X-AI-Provider")
				switch {
				case got.status != 200 || got.cut:
				case stream && got.body == doors[0].shownBy(said), !stream && got.body == doors[0].answerBy(said):
					good.Add(1)
				default:
					t.Errorf("an answer of %s: %s", said, clip(got.body))
				}
			}
		}()
	}
	all.Wait()
	return int(good.Load())
}

// count counts calls by provider.
func count(calls []stageCall) map[string]int {
	n := make(map[string]int)
	for _, c := range calls {
		n[c.provider]++
	}
	return n
}

// attempts checks that every request has made one record, and returns how
// many attempts there were.
func (s *stage) attempts(t *testing.T, requests int) (n int) {
	t.Helper()
	for _, r := range s.Records.Wait(t, requests) {
		n += r.Attempts
	}
	if got := len(s.Records.All()); got != requests {
		t.Errorf("%d records of %d requests", got, requests)
	}
	return n
}

// TestDeadTarget serves everybody with one target of three dead, however it
// died, and hardly calls that one.
func TestDeadTarget(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails answerer
	}{
		{"503", failing(503)},
		{"reset", func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }},
		{"dies after the role chunk", func(w http.ResponseWriter, r *weirtest.Request) {
			if strings.Contains(string(r.Body), `"stream":true`) {
				resetAfter(doors[0].prelude)(w, r)
				return
			}
			weirtest.Reset(w)
		}},
	} {
		for _, policy := range []string{"first", "round_robin", "random", "least_conn", "least_latency"} {
			t.Run(tt.name+"/"+policy, func(t *testing.T) {
				s := newStage(t, "model m one/gpt-4o two/gpt-4o three/gpt-4o {\nlb_policy "+policy+"\n}", "")
				s.plays("one", tt.fails)
				clients, each := 10, 10
				if policy == "round_robin" && tt.name == "503" {
					clients, each = 50, 40
				}
				if good := s.storm(t, "m", clients, each); good != clients*each {
					t.Errorf("%d of %d clients were served", good, clients*each)
				}
				calls, _ := s.called()
				n := count(calls)
				// All that are under way when it is found dead, and then a
				// probe in a second.
				if n["one"] > clients+20 {
					t.Errorf("the dead one was called %d times", n["one"])
				}
				if total := s.attempts(t, clients*each); total != len(calls) {
					t.Errorf("%d attempts are recorded, %d calls were seen", total, len(calls))
				}
			})
		}
	}
}

// TestFlappingTarget serves everybody while a target fails every other call.
func TestFlappingTarget(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o two/gpt-4o {\nlb_policy round_robin\n}", "")
	var n atomic.Int64
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		if n.Add(1)%2 == 0 {
			failing(500)(w, r)
			return
		}
		fine("one")(w, r)
	})
	if good := s.storm(t, "m", 20, 40); good != 800 {
		t.Errorf("%d of 800 were served", good)
	}
	calls, _ := s.called()
	if total := s.attempts(t, 800); total != len(calls) || total > 1200 {
		t.Errorf("%d attempts, %d calls for 800 requests", total, len(calls))
	}
}

// TestLimitedAccount serves everybody while one account of two is limited, and
// leaves that one alone.
func TestLimitedAccount(t *testing.T) {
	s := newStageWith(t, "", "api_key {env.ACCOUNT_ONE}\napi_key {env.ACCOUNT_TWO}", "model m one/gpt-4o", "")
	s.plays("one", perAccount(map[string]answerer{accountOne: failing(429, "Retry-After", "120")}))
	if good := s.storm(t, "m", 50, 20); good != 1000 {
		t.Errorf("%d of 1000 were served", good)
	}
	calls, _ := s.called()
	limited := 0
	for _, c := range calls {
		if strings.HasSuffix(c.Header.Get("Authorization"), accountOne) {
			limited++
		}
	}
	if limited == 0 || limited > 50 {
		t.Errorf("the limited account was called %d times", limited)
	}
	s.attempts(t, 1000)
}

// TestOnlyFailing bounds what an upstream is sent that answers nothing but 503,
// and what a second attempt costs.
func TestOnlyFailing(t *testing.T) {
	const requests = 1000
	s := newStage(t, "model m one/gpt-4o {\nlb_retries 2\nlb_try_interval 1ms\n}", "")
	s.plays("one", failing(503))
	if good := s.storm(t, "m", 20, requests/20); good != 0 {
		t.Errorf("%d were served", good)
	}
	calls, _ := s.called()
	// A tenth more, and three in ten seconds in any case.
	if len(calls) < requests || len(calls) > requests*110/100+3 {
		t.Errorf("%d calls for %d requests", len(calls), requests)
	}
	s.plays("one", nil)
	if good := s.storm(t, "m", 10, 1); good != 10 {
		t.Errorf("%d of 10 were served after it was well again", good)
	}
	if total := s.attempts(t, requests+10); total != len(calls)+10 {
		t.Errorf("%d attempts", total)
	}
}
