package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestTenantsNeverMeet asks as many tenants do at once, for the same few things, in
// all ways that there are, from one configuration after the other, while upstreams
// fail and clients leave. Each answer says for which call it was made. A model of
// who shares what knows which of them a request may get. WEIR_SOAK=1 makes it a
// million requests.
func TestTenantsNeverMeet(t *testing.T) {
	rounds, each := 15, 600
	switch {
	case os.Getenv("WEIR_SOAK") != "":
		rounds, each = 250, 4000
	case testing.Short():
		rounds, each = 4, 1000
	}
	p := newParish(t)
	for round := range rounds {
		p.round(t, round, each)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d requests: %v", rounds*each, p.counts)
	for _, what := range []string{"hit", "semantic-hit", "stale", "refresh", "coalesced", "miss", "bypass", "shared across keys", "shared across dialects", "failed"} {
		if p.counts[what] == 0 {
			t.Errorf("nothing was %s", what)
		}
	}
}

// tenant is one who asks; of key, user and ip one says who it is.
type tenant struct {
	name, key, user, team, ip string
	client                    *http.Client
}

// scope is what the documentation says whom the tenant shares answers with.
func (x *tenant) scope(kind string) string {
	switch {
	case kind == gateway.ScopeGlobal:
		return "all"
	case kind == gateway.ScopeTeam && x.team != "":
		return "team " + x.team
	default:
		return "tenant " + x.name
	}
}

// rules are what a round's configuration says about answers.
type rules struct {
	scope, version   string
	similar          string // scope of the semantic cache, empty for none
	targets          [2]string
	ttl, stale, site string
}

// query is one request and what it may depend on.
type query struct {
	id              string
	who             *tenant
	rules           *rules
	door, model     int
	stream          bool
	prompt, variant int
	header          http.Header
	names           []string // of tenants that the request mentions itself
}

// question is all that two requests for one answer have in common.
func (q *query) question() string {
	matter := q.header.Get("Openai-Organization")
	if strings.HasPrefix(q.rules.targets[q.model], "other/") {
		matter = q.header.Get("Anthropic-Beta")
	}
	return fmt.Sprint(q.rules.scope, " ", q.rules.version, " ", q.model, " ", q.rules.targets[q.model], " ", q.variant, " ", matter)
}

// mayHave reports whether q may get the answer to other.
func (q *query) mayHave(other *query) bool {
	return q == other || q.prompt == other.prompt && q.question() == other.question() && q.who.scope(q.rules.scope) == other.who.scope(q.rules.scope)
}

// alike is what the requests have in common whose answers are found by what they
// mean.
func (q *query) alike() string {
	return q.question() + " " + q.rules.similar + " " + q.who.scope(q.rules.similar)
}

// parish is where the tenants live: a gateway, and upstreams that count their calls.
type parish struct {
	gateway *weirtest.Gateway
	url     string
	tenants []*tenant

	rnd *rand.Rand

	mu    sync.Mutex
	luck  *rand.Rand // of upstreams
	calls int

	asked   map[string]*query
	alike   map[string]map[string]*query // one for each question and scope
	counts  map[string]int
	records int              // that have been read
	makers  map[int]*query   // of answers, by the number of the call
	renewed map[int]*tenants // those whom a background call was made for
}

// tenants are those of a background call, which has no request of its own: what the
// record says of its caller.
type tenants struct{ key, user string }

func newParish(t *testing.T) *parish {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	p := &parish{
		rnd: rand.New(rand.NewPCG(7, 7)), luck: rand.New(rand.NewPCG(8, 8)), asked: make(map[string]*query), alike: make(map[string]map[string]*query),
		counts: make(map[string]int),
		makers: make(map[int]*query), renewed: make(map[int]*tenants),
	}
	client := newClient(t)
	for i := range 12 {
		secret := fmt.Sprintf("a-secret-of-tenant-%04d", i)
		t.Setenv(fmt.Sprintf("TENANT_KEY_%d", i), secret)
		x := &tenant{name: fmt.Sprintf("tenant-k%d-", i), key: secret, client: client}
		if i%3 > 0 {
			x.team = fmt.Sprintf("team%d", i%4)
		}
		p.tenants = append(p.tenants, x)
	}
	for i := range 12 {
		x := &tenant{name: fmt.Sprintf("tenant-u%d-", i), user: fmt.Sprintf("u%d", i), client: client}
		if i%3 > 0 {
			x.team = fmt.Sprintf("team%d", i%4)
		}
		p.tenants = append(p.tenants, x)
	}
	for i := range 4 {
		ip := fmt.Sprintf("127.0.0.%d", 40+i)
		p.tenants = append(p.tenants, &tenant{name: fmt.Sprintf("tenant-a%d-", i), ip: ip, client: newClientFrom(t, ip)})
	}
	up := newServer(t, p.answer)
	p.url = up
	p.gateway = weirtest.Start(t, p.ai(&rules{targets: [2]string{"one/gpt-4.1", "two/gpt-4.1"}}), "ai_gateway")
	return p
}

func (p *parish) ai(r *rules) string {
	var b strings.Builder
	for _, name := range []string{"one", "two", "emb"} {
		fmt.Fprintf(&b, "provider %s openai {\nbase_url %s/%s/v1\napi_key {env.UPSTREAM_KEY}\n}\n", name, p.url, name)
	}
	fmt.Fprintf(&b, "provider other anthropic {\nbase_url %s/other/v1\napi_key {env.UPSTREAM_KEY}\n}\n", p.url)
	for i, target := range r.targets {
		fmt.Fprintf(&b, "model m%d %s {\nlb_retries 1\nmax_fails 1000000\nfail_duration 1ms\nfallback two/gpt-4.1-mini\n}\n", i, target)
	}
	for i := range 12 {
		fmt.Fprintf(&b, "key tenant-k%d {env.TENANT_KEY_%d} {\n", i, i)
		if team := p.tenants[i].team; team != "" {
			fmt.Fprintf(&b, "team %s\n", team)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// draw makes a round's configuration.
func (p *parish) draw() *rules {
	pick := func(words ...string) string { return words[p.rnd.IntN(len(words))] }
	r := &rules{
		scope: pick(gateway.ScopeKey, gateway.ScopeTeam, gateway.ScopeGlobal), version: pick("", "", "v2"),
		similar: pick("", "", gateway.ScopeKey, gateway.ScopeTeam, gateway.ScopeGlobal),
		targets: [2]string{pick("one/gpt-4.1", "two/gpt-4.1", "other/claude-sonnet-4-5"), pick("one/gpt-4.1", "one/gpt-4o", "other/claude-sonnet-4-5")},
		ttl:     pick("1h", "1h", "1ms"), stale: pick("stale_while_revalidate 1h", "stale_if_error 1h"),
	}
	exact := fmt.Sprintf("exact {\nscope %s\nttl %s\n%s\ntags {http.ai.key.user}\ncoalesce %s\n", r.scope, r.ttl, r.stale, pick("on", "on", "off"))
	if r.version != "" {
		exact += "version " + r.version + "\n"
	}
	semantic := ""
	if r.similar != "" {
		semantic = fmt.Sprintf("semantic {\nembedder emb/text-embedding-3-small\nscope %s\ndeadline 10s\nthreshold 0.9\n}\n", r.similar)
	}
	r.site = fmt.Sprintf(`ai_auth {
		anonymous
		identity {http.request.header.X-Signed-User}
		team {http.request.header.X-Signed-Team}
	}
	ai_cache {
		%s}
		%s
	}
	ai_proxy {
		resume %s
		stream_metadata %s
		heartbeat 1s
	}`, exact, semantic, pick("off", "10s"), pick("on", "off"))
	return r
}

// round loads a configuration, has all tenants ask, and judges what they got.
func (p *parish) round(t *testing.T, n, requests int) {
	t.Helper()
	r := p.draw()
	for _, x := range p.tenants {
		x.client.CloseIdleConnections()
	}
	if err := p.gateway.Load("", p.ai(r), r.site); err != nil {
		t.Fatal(err)
	}
	queries := make([]*query, requests)
	for i := range queries {
		queries[i] = p.query(r, fmt.Sprintf("op-%d-%d", n, i))
		q := queries[i]
		p.asked[q.id] = q
		alike := p.alike[q.alike()]
		if alike == nil {
			alike = make(map[string]*query)
			p.alike[q.alike()] = alike
		}
		alike[fmt.Sprint(q.prompt, q.who.scope(r.scope))] = q
	}
	got := make([]*reply, requests)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range next {
				got[i] = queries[i].ask(p.gateway.URL, i%40 == 39)
			}
		})
	}
	for i := range queries {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, q := range queries {
		p.judge(t, q, got[i])
	}
}

// query makes a request.
func (p *parish) query(r *rules, id string) *query {
	rnd := p.rnd
	q := &query{
		id: id, rules: r, who: p.tenants[rnd.IntN(len(p.tenants))], door: rnd.IntN(len(doors)), model: rnd.IntN(2),
		stream: rnd.IntN(2) == 0, prompt: rnd.IntN(12), variant: rnd.IntN(2), header: make(http.Header),
	}
	q.names = []string{q.who.name}
	h := q.header
	h.Set("X-Request-Id", id)
	h.Set("Content-Type", "application/json")
	switch x := q.who; {
	case x.key != "":
		h.Set([]string{"X-Api-Key", "X-Goog-Api-Key", "Api-Key"}[rnd.IntN(3)], x.key)
	case x.user != "":
		h.Set("X-Signed-User", x.user)
		if x.team != "" {
			h.Set("X-Signed-Team", x.team)
		}
	}
	other := p.tenants[rnd.IntN(len(p.tenants))]
	for range rnd.IntN(3) {
		header := [][2]string{
			{"X-Ai-Cache", "refresh"},
			{"X-Ai-Cache", "no-store"},
			{"Cache-Control", "max-age=0"},
			{"Cache-Control", "only-if-cached"},
			{"Cache-Control", "max-stale"},
			{"Cache-Control", "no-cache"},
			{"Cache-Control", "min-fresh=1"},
			{"X-Ai-Cache-Semantic", "off"},
			{"X-Ai-Cache-Tags", "tag-of-" + other.name},
			{"X-Ai-Cache-Threshold", "0.1"},
			{"X-Ai-Metadata", "on"},
			{"X-Ai-Resume", "on"},
			{"Openai-Organization", "org"},
			{"Anthropic-Beta", "beta"},
			{"X-Ai-Explain", "on"},
			// What others might take for the caller's name.
			{"X-Forwarded-For", "127.0.0.40"},
			{"X-Real-Ip", "127.0.0.41"},
			{"Forwarded", "for=127.0.0.40"},
			{"X-Ai-Key", other.name},
			{"X-Ai-Team", other.team},
			{"X-Ai-Cache-Scope", "global"},
			{"X-User", other.user},
			{"Cookie", "user=" + other.user},
		}[rnd.IntN(23)]
		h.Set(header[0], header[1])
		if strings.Contains(header[1], other.name) {
			q.names = append(q.names, other.name)
		}
	}
	return q
}

// body is the request in its dialect; whose it is stands in what the dialect has for
// that, where it makes no difference.
func (q *query) body() (path, body string) {
	text := quote("tell me of rivers" + strings.Repeat("?", q.prompt)) // all mean the same
	sampling, d := "", doors[q.door]
	if q.variant > 0 {
		sampling = fmt.Sprintf(d.sampling, "0.5") + ","
	}
	model := fmt.Sprintf("m%d", q.model)
	switch d.name {
	case "chat":
		body = fmt.Sprintf(`{"model":%q,"stream":%t,%s"user":%q,"messages":[{"role":"user","content":%s}]}`, model, q.stream, sampling, q.who.name, text)
	case "responses":
		body = fmt.Sprintf(`{"model":%q,"stream":%t,%s"user":%q,"metadata":{"of":%q},"input":%s}`, model, q.stream, sampling, q.who.name, q.who.name, text)
	case "messages":
		body = fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":4096,%s"metadata":{"user_id":%q},"messages":[{"role":"user","content":%s}]}`, model, q.stream, sampling, q.who.name, text)
	default:
		path = "/v1beta/models/" + model + ":generateContent"
		if q.stream {
			path = "/v1beta/models/" + model + ":streamGenerateContent"
			if q.prompt%2 == 0 { // else as a JSON array
				path += "?alt=sse"
			}
		}
		return path, fmt.Sprintf(`{%s"labels":{"of":%q},"contents":[{"parts":[{"text":%s}],"role":"user"}]}`, sampling, q.who.name, text)
	}
	return d.path, body
}

// ask sends the request; one who leaves reads only how the answer begins.
func (q *query) ask(url string, leaves bool) *reply {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	path, body := q.body()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		return &reply{err: err}
	}
	req.Header = q.header.Clone()
	res, err := q.who.client.Do(req)
	if err != nil {
		return &reply{err: err}
	}
	defer res.Body.Close()
	got := &reply{status: res.StatusCode, header: res.Header}
	var data []byte
	if leaves {
		data = make([]byte, 256)
		n, _ := io.ReadFull(res.Body, data)
		got.cut, data = true, data[:n]
	} else {
		data, got.err = io.ReadAll(res.Body)
		got.cut = got.err != nil
	}
	got.body = string(data)
	return got
}

var (
	saidCall   = regexp.MustCompile(`call-(\d+)-prompt-(\d+)-end`)
	saidTenant = regexp.MustCompile(`tenant-[kua]\d+-`)
	saidPrompt = regexp.MustCompile(`of rivers(\?*)`)
)

// judge decides whether q may have got the answer.
func (p *parish) judge(t *testing.T, q *query, got *reply) {
	t.Helper()
	if got.header == nil {
		t.Fatalf("%s: %v", q.id, got.err)
	}
	whole := fmt.Sprint(got.header, got.body)
	for _, name := range saidTenant.FindAllString(whole, -1) {
		if !strings.Contains(strings.Join(q.names, " "), name) {
			t.Errorf("%s of %s was told of %s:\n%v\n%s", q.id, q.who.name, name, got.header, clip(got.body))
		}
	}
	status := got.header.Get("Cache-Status")
	similar := got.header.Get("X-Ai-Cache") == "semantic-hit"
	answers := make(map[int]bool)
	for _, m := range saidCall.FindAllStringSubmatch(got.body, -1) {
		n, _ := strconv.Atoi(m[1])
		prompt, _ := strconv.Atoi(m[2])
		if answers[n] = true; prompt != q.prompt && !similar {
			t.Errorf("%s asked for prompt %d and got the answer to %d: %s", q.id, q.prompt, prompt, status)
		}
	}
	if len(answers) > 1 {
		t.Errorf("%s got parts of %v", q.id, answers)
	}
	for n := range answers {
		p.judgeCall(t, q, n, similar, status)
	}
	switch {
	case got.status != 200 || got.cut:
		p.counts["failed"]++
	case len(answers) == 0:
		t.Errorf("%s: an answer of nobody: %v %s", q.id, got.header, clip(got.body))
	}
}

// judgeCall decides whether q may have got what call n had answered.
func (p *parish) judgeCall(t *testing.T, q *query, n int, similar bool, status string) {
	t.Helper()
	maker, background := p.maker(t, n)
	switch {
	case background != nil:
		// The one who asked before it; what it asked is judged by the prompt.
		mayHave := false
		for _, x := range p.tenants {
			same := x.key != "" && background.key == strings.TrimSuffix(x.name, "-") || x.key == "" && x.user == background.user && background.key == ""
			mayHave = mayHave || same && x.scope(q.rules.scope) == q.who.scope(q.rules.scope)
		}
		if !mayHave {
			t.Errorf("%s of %s got what was renewed for %v: %s, scope %s", q.id, q.who.name, *background, status, q.rules.scope)
		}
	case similar && p.mayHaveSimilar(q, maker):
		p.counts["shared by meaning"]++
	case !q.mayHave(maker):
		t.Errorf("%s of %s got the answer to %s of %s: %s\n%+v %q\n%+v %q", q.id, q.who.name, maker.id, maker.who.name, status, *q.rules, q.question(), *maker.rules, maker.question())
	case maker.who != q.who:
		p.counts["shared across keys"]++
		fallthrough
	default:
		if maker.door != q.door {
			p.counts["shared across dialects"]++
		}
	}
}

// mayHaveSimilar reports whether q may get the answer to maker because of what it
// means: because one whom q shares similar requests with has asked for the very same
// as maker, and might have got that answer.
func (p *parish) mayHaveSimilar(q, maker *query) bool {
	for _, known := range p.alike[q.alike()] {
		if q.rules.similar != "" && known.mayHave(maker) {
			return true
		}
	}
	return false
}

// maker finds the request that call n was made for, or whom it was renewed for.
func (p *parish) maker(t *testing.T, n int) (*query, *tenants) {
	t.Helper()
	eventually(t, fmt.Sprintf("the record of call %d", n), func() bool {
		if p.makers[n] == nil && p.renewed[n] == nil {
			p.read()
		}
		return p.makers[n] != nil || p.renewed[n] != nil
	})
	return p.makers[n], p.renewed[n]
}

// read reads new records.
func (p *parish) read() {
	all := p.gateway.Records.All()
	for _, r := range all[p.records:] {
		p.counts[r.Cache]++
		if n, err := strconv.Atoi(strings.TrimPrefix(r.UpstreamID, "up-")); err == nil {
			if q := p.asked[r.RequestID]; q != nil {
				p.makers[n] = q
			} else {
				p.renewed[n] = &tenants{key: r.Key, user: r.User}
			}
		}
	}
	p.records = len(all)
}

// answer is the upstreams' side: each call has a number, which its answer says.
func (p *parish) answer(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/emb/") {
		sameMeaning(w, nil)
		return
	}
	p.mu.Lock()
	p.calls++
	n, luck := p.calls, p.luck.IntN(100)
	p.mu.Unlock()
	prompt := saidPrompt.FindSubmatch(data)
	if prompt == nil {
		http.Error(w, `{"error":{"message":"no prompt"}}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Request-Id", fmt.Sprintf("up-%d", n))
	w.Header().Set("Request-Id", fmt.Sprintf("up-%d", n))
	text := fmt.Sprintf("call-%d-prompt-%d-end", n, len(prompt[1]))
	stream := strings.Contains(string(data), `"stream":true`)
	time.Sleep(time.Duration(luck) * 10 * time.Microsecond) // as models do, so that others ask meanwhile
	switch {
	case luck < 3:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, doors[0].errorBody)
	case luck < 5:
		w.Header().Set("Retry-After-Ms", "1") // else the account rests for the round
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, doors[0].errorBody)
	case luck < 7:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"%s was refused","type":"invalid_request_error"}}`, text)
	case luck < 9:
		weirtest.Reset(w)
	default:
		sayAs(w, r.URL.Path, data, text, stream, luck)
	}
}

// sayAs answers with text in the dialect of path, as luck has it with a broken end.
func sayAs(w http.ResponseWriter, path string, asked []byte, text string, stream bool, luck int) {
	d := doors[0]
	switch {
	case strings.HasSuffix(path, "/responses"):
		d = doors[1]
	case strings.HasSuffix(path, "/messages"):
		d = doors[2]
	}
	about := ""
	if d == doors[1] {
		o := parseObject(asked)
		about = fmt.Sprintf(`"metadata":%s,"user":%s,`, asJSON(o["metadata"]), asJSON(o["user"]))
	}
	fill := func(part string) string {
		part = strings.ReplaceAll(part, `"object":"response",`, `"object":"response",`+about)
		if strings.Contains(part, `"status":"completed"`) {
			part = strings.Replace(part, `"output":[]`, fmt.Sprintf(`"output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":%q,"annotations":[]}]}]`, text), 1)
		}
		return part
	}
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		answer := strings.Replace(fill(d.answer), "hello", text, 1)
		if luck < 12 {
			answer = answer[:len(answer)/2]
		}
		_, _ = io.WriteString(w, answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, fill(d.prelude)+fmt.Sprintf(d.word, text))
	weirtest.Flush(w)
	switch {
	case luck < 12:
		_, _ = io.WriteString(w, d.failure)
	case luck < 15:
		weirtest.Reset(w)
	default:
		_, _ = io.WriteString(w, strings.Replace(fill(d.finish), "…", text, 1)+d.hidden+fill(d.end))
	}
}

// newClientFrom is newClient for one who comes from another address.
func newClientFrom(t *testing.T, ip string) *http.Client {
	client := newClient(t)
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	client.Transport.(persistent).DialContext = dialer.DialContext
	return client
}

// newServer runs an upstream that keeps nothing of what it is asked.
func newServer(t *testing.T, answer http.HandlerFunc) (url string) {
	server := httptest.NewServer(answer)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}
