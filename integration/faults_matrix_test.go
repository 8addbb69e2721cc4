package integration

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

var updateFaults = flag.Bool("update-faults", false, "write docs/faults.md")

// The prices of the first and the second provider, in nano-dollars for a token
// of the prompt and one of the answer.
const (
	firstIn, firstOut   = 2_000, 6_000
	secondIn, secondOut = 3_000, 9_000
)

// faultMatrix is a gateway with all models of the matrix, and an upstream that
// plays their providers.
type faultMatrix struct {
	g  *weirtest.Gateway
	up *weirtest.Upstream

	mu    sync.Mutex
	cells []*faultCell
}

// faultCell is one misfortune of one strategy, for one client. Each has models
// of its own, so that its targets have no history.
type faultCell struct {
	m      *misfortune
	s      *strategy
	d      *door
	stream bool
	number int

	calls []string // who was called, with which model

	got    *reply
	record *gateway.Record
}

func (c *faultCell) name() string {
	form := "whole"
	if c.stream {
		form = "stream"
	}
	return strings.Join([]string{c.m.name, c.s.name, c.d.name, form}, "/")
}

func (c *faultCell) id() string { return fmt.Sprintf("cell-%d", c.number) }

// upstreamModel is what its upstreams are asked for.
func (c *faultCell) upstreamModel() string { return fmt.Sprintf("%s-c%d", c.d.model, c.number) }

func newFaultMatrix(t *testing.T) *faultMatrix {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	m := &faultMatrix{}
	m.up = weirtest.NewUpstream(t, m.answer)
	var ai strings.Builder
	for _, d := range doors {
		for _, name := range []string{d.name + "-1", d.name + "-2", d.name + "-dead"} {
			url := m.up.URL
			if strings.HasSuffix(name, "dead") {
				url = "http://" + weirtest.FreeAddr(t)
			}
			fmt.Fprintf(&ai, "provider %s %s {\nbase_url %s/%s%s\napi_key {env.UPSTREAM_KEY}\n}\n", name, d.provider, url, name, d.version())
		}
		fmt.Fprintf(&ai, "price %s-1/* input 2 output 6\nprice %s-2/* input 3 output 9\n", d.name, d.name)
		fmt.Fprintf(&ai, "model spare-%s %s-2/%s-spare\n", d.name, d.name, d.model)
		for _, s := range strategies {
			ai.WriteString(s.config(d))
		}
	}
	ai.WriteString("model earning chat-1/gpt-4o-spare chat-2/gpt-4o-spare {\nhedge 1m\n}\n")
	m.g = weirtest.Start(t, ai.String(), "ai_gateway {\nheartbeat off\n}")
	return m
}

var cellNumber = regexp.MustCompile(`-c(\d+)["/:]`)

// answer plays the first call of a cell as its misfortune wants it, and all
// others well. A spare model does not say whose it is; the request id does.
func (m *faultMatrix) answer(w http.ResponseWriter, r *weirtest.Request) {
	provider, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	asked := r.Path + string(r.Body)
	if strings.Contains(asked, "-spare") {
		m.play(w, r, provider, "spare")
		return
	}
	found := cellNumber.FindStringSubmatch(asked)
	if found == nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	number, _ := strconv.Atoi(found[1])
	m.mu.Lock()
	c := m.cells[number]
	c.calls = append(c.calls, provider)
	n := len(c.calls)
	m.mu.Unlock()
	if n > 1 || c.m.dead {
		m.play(w, r, provider, strconv.Itoa(n))
		return
	}
	if c.stream {
		c.m.stream(c.d)(w, r)
	} else {
		c.m.whole(c.d)(w, r)
	}
}

// play answers well; who says whose words these are.
func (m *faultMatrix) play(w http.ResponseWriter, r *weirtest.Request, provider, who string) {
	d := doorNamed(strings.TrimRight(provider, "-12"))
	w.Header().Set("X-Request-Id", "fine-"+who)
	if strings.Contains(r.Path+r.Query, "stream") || strings.Contains(string(r.Body), `"stream":true`) {
		events(d.streamBy(provider))(w, r)
		return
	}
	whole(200, d.answerBy(provider))(w, r)
}

func doorNamed(name string) *door {
	for _, d := range doors {
		if d.name == name {
			return d
		}
	}
	return doors[0]
}

// streamBy and answerBy are good answers in which it can be seen whose they
// are; shownBy is what the client of a stream sees.
func (d *door) streamBy(provider string) string {
	return d.prelude + d.wordsBy(provider) + d.finish + d.hidden + d.end
}

func (d *door) shownBy(provider string) string {
	return d.prelude + d.wordsBy(provider) + d.finish + d.end
}

func (d *door) wordsBy(provider string) string {
	return fmt.Sprintf(d.word, " said") + fmt.Sprintf(d.word, " by "+provider)
}

func (d *door) answerBy(provider string) string {
	text := strings.Replace(d.answer, `"output":[]`, `"output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}]`, 1)
	return strings.Replace(text, `"hello"`, `"said by `+provider+`"`, 1)
}

// run asks for the cell and keeps what came of it.
func (m *faultMatrix) run(t *testing.T, c *faultCell) {
	body := c.d.whole
	if c.stream {
		body = c.d.body
	}
	name := fmt.Sprintf("%sc%d", c.s.modelOf(c.d, c.m.variant()), c.number)
	path := c.d.pathOf(body)
	if c.d.inPath() {
		path = strings.Replace(path, "/m:", "/"+name+":", 1)
	} else {
		body = strings.Replace(body, `"m"`, `"`+name+`"`, 1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // a hang is a failure of one cell
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", c.id())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Errorf("%s: %v", c.name(), err)
		return
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	c.got = &reply{status: res.StatusCode, header: res.Header, body: string(data), cut: err != nil, err: err}
}

// step is what is compared of a record's trail.
type step struct {
	Provider, Model string
	Status          int
	Reason          string
	Error, Phase    string
}

// outcomeOf is what is compared of a cell.
type cellOutcome struct {
	Status              int
	Cut                 bool
	Body                string
	Provider, Model     string // as the headers say
	Attempts            string
	UpstreamID, Cookie  string
	RecordStatus        int
	Error, Phase        string
	Target              string
	Input, Output       int64
	Source              string
	Cost, Overhead      int64
	Calls               []string
	Trail               []step
	RecordAttempts      int
	Continued           int
	RecordID, RetryHint string
}

func (c *faultCell) observed() *cellOutcome {
	r, h := c.record, c.got.header
	o := &cellOutcome{
		Status: c.got.status, Cut: c.got.cut, Body: c.got.body,
		Provider: h.Get("X-AI-Provider"), Model: h.Get("X-AI-Model"), Attempts: h.Get("X-AI-Attempts"),
		UpstreamID: h.Get("X-Upstream-Request-Id"), Cookie: h.Get("Set-Cookie") + h.Get("X-Secret-Region"), RetryHint: h.Get("Retry-After"),
		RecordStatus: r.Status, Error: r.Error, Phase: r.Phase, Target: r.Provider + "/" + r.UpstreamModel, RecordID: r.UpstreamID,
		Input: r.Usage.Input, Output: r.Usage.Output, Source: r.UsageSource,
		Cost: r.Cost.Total, Overhead: r.Overhead, Calls: c.calls, RecordAttempts: r.Attempts, Continued: r.Continued,
	}
	for _, s := range r.Trail {
		o.Trail = append(o.Trail, step{s.Provider, s.Model, s.Status, s.Reason, s.Error, s.Phase})
	}
	return o
}

// expected is what the rules demand of a cell.
func (c *faultCell) expected() *cellOutcome {
	m, s, d := c.m, c.s, c.d
	first := d.name + "-1"
	if m.dead {
		first = d.name + "-dead"
	}
	e := m.errorOf(c.stream)
	source, input, output := m.wasted(d, c.stream)
	failed := step{Provider: first, Model: c.upstreamModel(), Status: c.answeredWith(), Reason: gateway.ReasonFirst, Error: e.Kind.String(), Phase: e.Phase}
	spent := input*firstIn + output*firstOut
	if m.dead {
		spent = 0
	}
	if s.joins(m) {
		return c.joined(failed, input, output)
	}
	if !s.mends(m) {
		told := m.told(d, c.stream, c.id())
		o := &cellOutcome{
			Status: told.status, Cut: told.cut, Body: told.body, Provider: first, Model: c.upstreamModel(), Attempts: "1",
			RecordStatus: told.status, Error: e.Kind.String(), Phase: e.Phase, Target: first + "/" + c.upstreamModel(),
			Input: input, Output: output, Source: source, Cost: spent, Trail: []step{failed}, RecordAttempts: 1,
		}
		if m.status != 0 {
			o.UpstreamID, o.RecordID = "failed-1", "failed-1"
		}
		o.RetryHint = m.hint(c.stream)
		if !m.dead {
			o.Calls = []string{first}
		}
		return o
	}
	second, model, who := d.name+"-"+strconv.Itoa(s.second), c.upstreamModel(), "2"
	in, out := int64(secondIn), int64(secondOut)
	if s.second == 1 {
		in, out = firstIn, firstOut
		if m.dead {
			second = first
		}
	}
	o := &cellOutcome{
		Status: 200, Provider: second, Model: model, Attempts: "2", RecordStatus: 200,
		Input: 21, Output: 7, Source: gateway.SourceProvider, Overhead: spent, RecordAttempts: 2,
		Trail: []step{failed, {Provider: second, Model: model, Status: 200, Reason: s.reason}},
	}
	if s.races(m) {
		o.Trail[0].Error, o.Trail[0].Phase = "lost", "hedge"
		o.Trail[1].Reason = gateway.ReasonHedge
	}
	if strings.HasPrefix(s.options, "fallback") {
		model, who = d.model+"-spare", "spare"
		o.Model, o.Trail[1].Model = model, model
	}
	if !m.dead {
		o.Calls = []string{first}
	}
	switch {
	case s.second == 1 && m.dead:
		// Nobody listens the second time either.
		told := m.told(d, c.stream, c.id())
		o.Status, o.Body, o.RecordStatus = told.status, told.body, told.status
		o.Input, o.Output, o.Source, o.Overhead = 0, 0, gateway.SourceNone, 0
		o.Error, o.Phase = e.Kind.String(), e.Phase
		o.Trail[1].Status, o.Trail[1].Error, o.Trail[1].Phase = 0, o.Error, o.Phase
		o.Target, o.RetryHint = second+"/"+model, "1"
		return o
	case who == "spare":
	default:
		if m.dead {
			who = "1"
		}
		o.Calls = append(o.Calls, second)
	}
	o.Body = d.shownBy(second)
	if !c.stream {
		o.Body = d.answerBy(second)
	}
	o.Target, o.UpstreamID, o.RecordID = second+"/"+model, "fine-"+who, "fine-"+who
	o.Cost = 21*in + 7*out
	return o
}

// joined is what the rules demand of a cell whose second upstream goes on with
// the answer of the first, which the vendor has reported as input and output:
// the client is shown all of it once, and charged for one prompt and for each
// part at its own price. The prompt of the second part is overhead.
func (c *faultCell) joined(failed step, input, output int64) *cellOutcome {
	first, second, model := c.d.name+"-1", c.d.name+"-2", c.upstreamModel()
	return &cellOutcome{
		Status: 200, Body: c.joinedText(), Provider: first, Model: model, Attempts: "1", // as the stream began
		RecordStatus: 200, Target: second + "/" + model, RecordID: "fine-2",
		Input: input, Output: output + 7, Source: gateway.SourceEstimated,
		Cost: input*firstIn + output*firstOut + 7*secondOut, Overhead: 21 * secondIn,
		Calls: []string{first, second}, RecordAttempts: 2, Continued: 1,
		Trail: []step{failed, {Provider: second, Model: model, Status: 200, Reason: gateway.ReasonContinue}},
	}
}

// joinedText is the text of such an answer.
func (c *faultCell) joinedText() string { return " word0 word1 said by " + c.d.name + "-2" }

// checkJoin checks the stream that the client got: the first part is as it
// came; the rest is read, since its form is the gateway's own.
func (c *faultCell) checkJoin(t *testing.T, text string) {
	t.Helper()
	rest, ok := strings.CutPrefix(c.got.body, c.d.prelude+c.d.words(2))
	if !ok {
		t.Errorf("not what the first upstream sent:\n%s", c.got.body)
	}
	checkOne(t, c.d, c.got, text)
	if c.d.name == "responses" {
		// All words of an upstream here have one number.
		checkSequence(t, c.d.prelude+c.d.words(1)+rest)
	}
}

// answeredWith is the status of the failed call.
func (c *faultCell) answeredWith() int {
	switch {
	case c.m.status != 0:
		return c.m.status
	case c.m.damage == untaken, c.m.name == "reset before headers", c.m.name == "slow headers", c.m.name == "garbage":
		return 0
	default:
		return 200
	}
}

// hint is the Retry-After of an answer that tells of m.
func (m *misfortune) hint(stream bool) string {
	switch {
	case m.wait:
		return "30"
	case m.status != 0, m.damage == committed, m.wholePasses && !stream:
		return "" // the upstream's own, or too late
	default:
		return "1"
	}
}

// TestFaults runs every misfortune under every strategy, for clients of every
// dialect and for both forms of an answer. What the client saw, which
// calls were made and the record are compared with what the rules demand.
func TestFaults(t *testing.T) {
	m := newFaultMatrix(t)
	var quick, slow, alone, raced []*faultCell
	for _, fault := range misfortunes {
		for _, s := range strategies {
			for _, d := range doors {
				for _, stream := range []bool{true, false} {
					if stream && fault.stream == nil || !stream && fault.whole == nil {
						continue
					}
					c := &faultCell{m: fault, s: s, d: d, stream: stream, number: len(m.cells)}
					m.cells = append(m.cells, c)
					switch {
					case s.races(fault):
						raced = append(raced, c)
					case fault.class == gateway.ClassAuth:
						alone = append(alone, c)
					case fault.patience != "":
						slow = append(slow, c)
					default:
						quick = append(quick, c)
					}
				}
			}
		}
	}
	m.all(t, quick, 24)
	m.all(t, slow, 8)
	for _, c := range alone {
		// A key that is refused is refused for all models.
		m.all(t, []*faultCell{c}, 1)
		tracker(t).Reset(c.d.name + "-1")
	}
	earned := m.earn(t, len(raced))
	m.all(t, raced, 8)
	records := make(map[string][]*gateway.Record)
	for _, r := range m.g.Records.Wait(t, len(m.cells)+earned) {
		records[r.RequestID] = append(records[r.RequestID], r)
	}
	for _, c := range m.cells {
		t.Run(c.name(), func(t *testing.T) {
			list := records[c.id()]
			if len(list) != 1 || c.got == nil {
				t.Fatalf("%d records", len(list))
			}
			c.record = list[0]
			want, got := c.expected(), c.observed()
			if c.s.joins(c.m) && got.Status == 200 && !got.Cut {
				c.checkJoin(t, want.Body)
				got.Body = want.Body
			}
			forgive(c.d, want, got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	m.publish(t)
}

// all runs cells, so many at a time.
func (m *faultMatrix) all(t *testing.T, cells []*faultCell, atOnce int) {
	var wg sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, c := range cells {
		places <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			m.run(t, c)
			<-places
		}()
	}
	wg.Wait()
}

// earn makes so many requests of a model with hedges that n of them may be: one
// in twenty.
func (m *faultMatrix) earn(t *testing.T, n int) (requests int) {
	client := newClient(t)
	for range 20 * n {
		res, err := client.Post(m.g.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"earning","messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	return 20 * n
}

// forgive lets estimates for vendors whose vocabulary is not public be near.
func forgive(d *door, want, got *cellOutcome) {
	if d.dialect == wire.OpenAI {
		return
	}
	for _, pair := range [][2]*int64{{&got.Input, &want.Input}, {&got.Output, &want.Output}, {&got.Cost, &want.Cost}, {&got.Overhead, &want.Overhead}} {
		if near(*pair[0], *pair[1]) {
			*pair[0] = *pair[1]
		}
	}
}

// publish writes docs/faults.md, or checks that it says what came out.
func (m *faultMatrix) publish(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Faults

What a client sees when the first upstream called fails, by what its model says. This page is written by the test that it
reports (` + "`go test -run TestFaults ./integration -update-faults`" + `): each cell ran for clients of Chat Completions, Responses, Messages
and Gemini, and, where both can be, for streams and whole answers. Each made one record, whose trail names every call.

`)
	b.WriteString("| The first upstream |")
	for _, s := range strategies {
		b.WriteString(" " + s.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(strategies)) + "\n")
	for _, fault := range misfortunes {
		b.WriteString("| " + fault.name + " |")
		for _, s := range strategies {
			b.WriteString(" " + m.words(fault, s) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString(`
- **none**: one target. **retry**: the same with ` + "`lb_retries 1`" + `. **failover**: two targets. **fallback**: ` + "`fallback`" + ` names another model.
  **fallback_on**: ` + "`fallback_on context_length content_policy`" + ` does. **hedge**: two targets with ` + "`hedge`" + `, which is due before slow
  upstreams have content and after other faults. **continuation**: two targets with ` + "`on_cut continue`" + `.
- **answer** is a complete answer of one call, the second; it is **of the hedge** if the first was then cancelled, not failed. **joined** is a complete
  stream: the first upstream's two tokens, and the rest by the second. **error** is an error before anything else, under its kind and
  its status; **cut** is a stream that shows the first upstream's two tokens, then the error, and ends abnormally.
- In brackets stands how many calls were made. What a failed call has cost is the record's overhead; its caller does not pay for it.
  A joined answer costs one prompt, and its two parts; the second prompt is overhead.
- But for continuations, a second call is made before the first content only: role chunks, ` + "`message_start`" + ` and pings are held back.
`)
	path := filepath.Join("..", "docs", "faults.md")
	if *updateFaults {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, _ := os.ReadFile(path)
	if diff := cmp.Diff(string(old), b.String()); diff != "" && !t.Failed() {
		t.Errorf("docs/faults.md is not what came out; run with -update-faults:\n%s", diff)
	}
}

// words says what clients saw, which must be the same for all of them.
func (m *faultMatrix) words(fault *misfortune, s *strategy) string {
	var all []string
	for _, c := range m.cells {
		if c.m != fault || c.s != s || c.record == nil {
			continue
		}
		r := c.record
		text := fmt.Sprintf("answer (%d)", r.Attempts)
		switch {
		case r.Error != "" && c.got.cut:
			text = fmt.Sprintf("cut, %s (%d)", r.Error, r.Attempts)
		case r.Continued > 0:
			text = fmt.Sprintf("joined (%d)", r.Attempts)
		case r.Trail[len(r.Trail)-1].Reason == gateway.ReasonHedge:
			text = fmt.Sprintf("answer of the hedge (%d)", r.Attempts)
		case r.Error != "":
			text = fmt.Sprintf("error, %s %d (%d)", r.Error, c.got.status, r.Attempts)
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}
