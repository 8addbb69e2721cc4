package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// stage is a gateway with the providers `one`, `two` and `three`, of OpenAI's
// dialect, and `other`, of Anthropic's. What each answers can be changed.
type stage struct {
	*weirtest.Gateway
	up     *weirtest.Upstream
	client *http.Client
	config string // of the providers

	mu      sync.Mutex
	answers map[string]answerer
	calls   []stageCall
	seen    int
}

// stageCall is a call to a provider.
type stageCall struct {
	provider string
	*weirtest.Request
}

const (
	keyOfCI    = "a-secret-of-ci-0001"
	keyOfOther = "a-secret-of-other-1"
	accountOne = "sk-account-number-one"
	accountTwo = "sk-account-number-two"
)

// newStage starts it; ai is the rest of the `ai` block, site the inside of
// ai_gateway's.
func newStage(t *testing.T, ai, site string) *stage {
	t.Helper()
	return newStageWith(t, "", "", ai, site)
}

// newStageWith is newStage with further global options, and with options of the
// provider `one`.
func newStageWith(t *testing.T, global, one, ai, site string) *stage {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	t.Setenv("CI_KEY", keyOfCI)
	t.Setenv("OTHER_KEY", keyOfOther)
	t.Setenv("RED_KEY", "a-secret-of-team-red")
	t.Setenv("TAGGED_KEY", "a-secret-of-tagged-1")
	t.Setenv("ACCOUNT_ONE", accountOne)
	t.Setenv("ACCOUNT_TWO", accountTwo)
	s := &stage{answers: make(map[string]answerer), client: newClient(t)}
	s.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		provider, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		s.mu.Lock()
		s.calls = append(s.calls, stageCall{provider, r})
		answer := s.answers[provider]
		s.mu.Unlock()
		if answer == nil {
			answer = fine(provider)
		}
		answer(w, r)
	})
	var b strings.Builder
	for _, name := range []string{"one", "two", "three"} {
		options := "api_key {env.UPSTREAM_KEY}"
		if name == "one" && one != "" {
			options = one
		}
		fmt.Fprintf(&b, "provider %s openai {\nbase_url %s/%s/v1\n%s\n}\n", name, s.up.URL, name, options)
	}
	fmt.Fprintf(&b, "provider other anthropic {\nbase_url %s/other/v1\napi_key {env.UPSTREAM_KEY}\n}\n", s.up.URL)
	s.config = b.String()
	s.Gateway = weirtest.StartWith(t, global, s.config+ai, "ai_gateway {\n"+site+"\n}")
	return s
}

// fine answers well, in the form that is asked for, and says who does.
func fine(provider string) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		d := doors[0]
		if provider == "other" {
			d = doors[2]
		}
		if strings.Contains(string(r.Body), `"stream":true`) {
			events(d.streamBy(provider))(w, r)
			return
		}
		whole(200, d.answerBy(provider))(w, r)
	}
}

// failing answers with an error of the vendor's.
func failing(status int, headers ...string) answerer {
	return whole(status, doors[0].errorBody, headers...)
}

// plays sets what a provider answers from now on; nil is fine.
func (s *stage) plays(provider string, answer answerer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[provider] = answer
}

// called returns who was called since it was last asked.
func (s *stage) called() (calls []stageCall, names string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls, s.calls = s.calls, nil
	list := make([]string, len(calls))
	for i, c := range calls {
		list[i] = c.provider
	}
	return calls, strings.Join(list, " ")
}

// post sends a body to path; header are pairs.
func (s *stage) post(t testing.TB, path, body string, header ...string) *reply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	got, err := s.send(req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// send sends req and reads the whole answer.
func (s *stage) send(req *http.Request) (*reply, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return &reply{status: res.StatusCode, header: res.Header, body: string(data), cut: err != nil, err: err}, nil
}

// ask asks for a whole answer of model.
func (s *stage) ask(t testing.TB, model string, header ...string) *reply {
	t.Helper()
	return s.post(t, "/v1/chat/completions", asks(model), header...)
}

// as is the header of a key.
func as(key string) []string { return []string{"Authorization", "Bearer " + key} }

// took checks that the answer is said by provider, or, if it has none, that its
// status is this; and that the calls were made. It returns the request's record.
func (s *stage) took(t *testing.T, got *reply, status int, provider, calls string) *gateway.Record {
	t.Helper()
	_, names := s.called()
	said := ""
	if got.status == 200 {
		said = got.header.Get("X-AI-Provider")
		if !strings.Contains(got.body, "by "+said) {
			t.Errorf("X-AI-Provider is %q, but the body is %q", said, clip(got.body))
		}
	}
	if got.status != status || said != provider || names != calls {
		t.Errorf("status %d of %q after %q, want %d of %q after %q: %s", got.status, said, names, status, provider, calls, clip(got.body))
	}
	s.seen++
	records := s.Records.Wait(t, s.seen)
	record := records[s.seen-1]
	if record.Attempts != len(record.Trail) || record.Status != got.status {
		t.Errorf("record %+v", record)
	}
	if n := fmt.Sprint(record.Attempts); record.Attempts > 0 && got.header.Get("X-AI-Attempts") != n {
		t.Errorf("X-AI-Attempts %q, want %s", got.header.Get("X-AI-Attempts"), n)
	}
	if record.Attempts > 0 && (got.header.Get("X-AI-Provider") != record.Provider || got.header.Get("X-AI-Model") != record.UpstreamModel) {
		t.Errorf("headers name %s/%s, the record %s/%s", got.header.Get("X-AI-Provider"), got.header.Get("X-AI-Model"), record.Provider, record.UpstreamModel)
	}
	return record
}

// trail writes a record's trail in words.
func trail(r *gateway.Record) (steps []string) {
	for _, s := range r.Trail {
		step := s.Reason + " " + s.Provider + "/" + s.Model
		if s.Error != "" {
			step += " " + s.Error
		}
		steps = append(steps, step)
	}
	return steps
}

func checkTrail(t *testing.T, r *gateway.Record, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, trail(r)); diff != "" {
		t.Errorf("trail (-want +got)\n%s", diff)
	}
}
