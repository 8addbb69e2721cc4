package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// secretOfClient is in every header in which a client may put a credential.
const secretOfClient = "client-secret"

// TestFixtures replays what vendors have sent through the gateway.
// WEIR_FIXTURES names a directory with more recordings of the same form.
func TestFixtures(t *testing.T) {
	dirs := []string{"testdata/fixtures"}
	if dir := os.Getenv("WEIR_FIXTURES"); dir != "" {
		dirs = append(dirs, dir)
	}
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	for _, dir := range dirs {
		recordings := loadRecordings(t, dir)
		if len(recordings) == 0 {
			t.Fatalf("no recordings in %s", dir)
		}
		t.Run(dir[strings.LastIndexByte(dir, '/')+1:], func(t *testing.T) {
			r := newReplay(t, recordings)
			for i, rec := range recordings {
				if rec.API == "models" {
					continue
				}
				t.Run(rec.Name, func(t *testing.T) { r.run(t, rec, i, false) })
				if rec.sample(i) && !testing.Short() {
					t.Run(rec.Name+"/byte by byte", func(t *testing.T) { r.run(t, rec, i+1, true) })
				}
			}
		})
		for _, rec := range recordings {
			if rec.API == "models" {
				t.Run("models/"+rec.Name, func(t *testing.T) { replayModels(t, rec) })
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// sample picks what is sent byte by byte as well.
func (r *recording) sample(i int) bool {
	switch n := len(r.Body); {
	case strings.HasSuffix(r.Response.BodyFile, ".sse"):
		return n < 4<<10 || i%4 == 0 && n < 16<<10
	default:
		return i%8 == 0 && n < 2<<10
	}
}

// replay is a gateway whose only upstream plays recordings.
type replay struct {
	gateway  *weirtest.Gateway
	upstream *weirtest.Upstream
	playing  atomic.Pointer[recording]
	split    atomic.Bool

	// plain are the aliases that are spelled as the target's own name, by the
	// provider that got it.
	plain map[string]string
	alias map[string]string
}

func newReplay(t *testing.T, recordings []*recording) *replay {
	r := &replay{plain: make(map[string]string), alias: make(map[string]string)}
	r.upstream = weirtest.NewUpstream(t, r.play)
	var ai strings.Builder
	providers := make(map[string]bool)
	for _, rec := range recordings {
		if !providers[rec.Provider] {
			providers[rec.Provider] = true
			fmt.Fprintf(&ai, "provider up-%s %s {\nbase_url %s\napi_key {env.UPSTREAM_KEY}\n}\n", rec.Provider, rec.module(), r.base(rec))
		}
		if rec.API == "models" {
			continue
		}
		model := rec.model()
		target := "up-" + rec.Provider + "/" + model
		if r.alias[target] == "" {
			r.alias[target] = fmt.Sprintf("alias-%d", len(r.alias))
			fmt.Fprintf(&ai, "model %s %q\n", r.alias[target], target)
		}
		if _, taken := r.plain[model]; !taken {
			r.plain[model] = rec.Provider
			fmt.Fprintf(&ai, "model %q %q\n", model, target)
		}
	}
	r.gateway = weirtest.Start(t, ai.String(), "ai_gateway")
	return r
}

func (r *replay) base(rec *recording) string { return r.upstream.URL + "/" + rec.Provider + "/v1" }

// play is the upstream's side.
func (r *replay) play(w http.ResponseWriter, _ *weirtest.Request) {
	rec := r.playing.Load()
	rec.play(w, r.split.Load())
}

func (r *recording) play(w http.ResponseWriter, split bool) {
	for name, value := range r.Response.Headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", r.contentType())
	w.Header().Set("Set-Cookie", "__cf_bm=upstream")
	w.WriteHeader(r.Status)
	if !split {
		_, _ = w.Write(r.Body)
		return
	}
	for i := range r.Body {
		_, _ = w.Write(r.Body[i : i+1])
		weirtest.Flush(w)
	}
}

// names are the ways to name a recording's model; way picks one.
func (r *replay) name(rec *recording, way int) string {
	model := rec.model()
	target := "up-" + rec.Provider + "/" + model
	switch {
	case way%3 == 1:
		return r.alias[target]
	case way%3 == 2 && r.plain[model] == rec.Provider:
		return model
	default:
		return target
	}
}

func (r *replay) run(t *testing.T, rec *recording, way int, split bool) {
	r.playing.Store(rec)
	r.split.Store(split)
	name := r.name(rec, way)
	body, contentType := rec.requestBody(name)
	before, sent := len(r.gateway.Records.All()), len(r.upstream.Requests())

	req, err := http.NewRequest(http.MethodPost, r.gateway.URL+"/v1"+rec.path(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range rec.Request.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Del("Accept-Encoding")
	for _, k := range []string{"X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "Idempotency-Key", "X-Forwarded-For"} {
		req.Header.Set(k, secretOfClient)
	}
	req.Header.Set("Authorization", "Bearer "+secretOfClient)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, readErr := io.ReadAll(res.Body)

	record := r.gateway.Records.Wait(t, before+1)[before]
	requests := r.upstream.Requests()[sent:]
	if len(requests) != 1 {
		r.checkRefusal(t, rec, res, got, len(requests))
		return
	}
	stream := strings.HasPrefix(rec.contentType(), "text/event-stream")
	asked := false
	if contentType == "application/json" {
		asked = checkRequestBody(t, rec, body, requests[0].Body)
	} else {
		checkForm(t, rec, contentType, requests[0])
	}
	r.checkRequest(t, rec, req, requests[0])
	checkHeaders(t, rec, res)
	want := expect(rec, stream, asked)
	switch {
	case rec.Status >= http.StatusBadRequest:
		checkError(t, rec, res, got, readErr, record)
		return
	case stream:
		checkStream(t, rec, want, res, got, readErr)
	default:
		checkAnswer(t, rec, want, res, got, readErr)
	}
	checkRecord(t, rec, want, record)
}

// checkRefusal judges a call that Weir did not send on: only one that the
// vendor refused as well may end so.
func (r *replay) checkRefusal(t *testing.T, rec *recording, res *http.Response, got []byte, calls int) {
	if calls != 0 || rec.Status < 400 || rec.Status >= 500 || res.StatusCode != rec.Status {
		t.Fatalf("the upstream got %d calls; status %d, recorded %d: %s", calls, res.StatusCode, rec.Status, got)
	}
	t.Logf("refused before it was sent: %s", got)
}

// checkRequest judges what the upstream saw besides the body.
func (r *replay) checkRequest(t *testing.T, rec *recording, sent *http.Request, got *weirtest.Request) {
	t.Helper()
	if want := "/" + rec.Provider + "/v1" + rec.path(); got.Path != want {
		t.Errorf("upstream path %s, want %s", got.Path, want)
	}
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, " "), secretOfClient) {
			t.Errorf("the client's %s reached the upstream", name)
		}
	}
	credential := got.Header.Get("Authorization")
	if rec.Provider == "anthropic" {
		credential = "Bearer " + got.Header.Get("X-Api-Key")
		for _, name := range []string{"Anthropic-Version", "Anthropic-Beta"} {
			if want := sent.Header.Get(name); want != "" && got.Header.Get(name) != want {
				t.Errorf("%s is %q upstream, want %q", name, got.Header.Get(name), want)
			}
		}
	}
	if credential != "Bearer sk-upstream" {
		t.Errorf("upstream credential %q", credential)
	}
}

// checkRequestBody judges the surgical edits and reports whether usage was
// asked for that the client does not want to see.
func checkRequestBody(t *testing.T, rec *recording, sent, got []byte) (asked bool) {
	t.Helper()
	want := setMember(sent, "model", quote(rec.model()))
	streams, wantsUsage := false, false
	for _, m := range members(want) {
		switch m.key {
		case "stream":
			streams = string(want[m.start:m.end]) == "true"
		case "stream_options":
			wantsUsage, _ = parseObject(want[m.start:m.end])["include_usage"].(bool)
		}
	}
	if streams && !wantsUsage && (rec.API == "chat" || rec.API == "completions") && rec.module() != "mistral" {
		asked = true
		// The rest must be as it was, so the edit is undone and compared.
		undone := false
		for _, m := range members(got) {
			if m.key != "stream_options" {
				continue
			}
			if on, _ := parseObject(got[m.start:m.end])["include_usage"].(bool); !on {
				t.Errorf("usage is not asked for: %s", got[m.start:m.end])
			}
			old := ""
			for _, w := range members(want) {
				if w.key == "stream_options" {
					old = string(want[w.start:w.end])
				}
			}
			if old != "" {
				got = splice(got, m.start, m.end, old)
			} else {
				got = splice(got, bytes.LastIndex(got[:m.start], []byte(`,"stream_options"`)), m.end, "")
			}
			undone = true
			break
		}
		if !undone {
			t.Errorf("usage is not asked for: %s", got)
		}
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("upstream body (-want +got):\n%s", diff)
	}
	return asked
}

// checkForm judges a form: all parts as they were but for the model.
func checkForm(t *testing.T, rec *recording, contentType string, got *weirtest.Request) {
	t.Helper()
	want, _ := formBody(rec.model())
	if diff := cmp.Diff(formParts(t, contentType, want, false), formParts(t, got.Header.Get("Content-Type"), got.Body, true)); diff != "" {
		t.Errorf("upstream form (-want +got):\n%s", diff)
	}
}

func formParts(t *testing.T, contentType string, body []byte, strict bool) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	boundary := params["boundary"]
	if !strict { // the body was made anew, with a boundary of its own
		line, _, _ := bytes.Cut(body, []byte("\r\n"))
		boundary = strings.TrimPrefix(string(line), "--")
	}
	parts := make(map[string]string)
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		parts[part.FormName()] = fmt.Sprint(part.Header["Content-Disposition"], part.Header["Content-Type"], string(data))
	}
}

// checkHeaders judges the headers that every answer has.
func checkHeaders(t *testing.T, rec *recording, res *http.Response) {
	t.Helper()
	id := res.Header.Get("X-Request-Id")
	if id == "" {
		t.Error("no X-Request-Id")
	}
	var ids []string
	for _, name := range []string{"x-request-id", "request-id", "apim-request-id", "x-generation-id", "mistral-correlation-id"} {
		if v := rec.header(name); v != "" {
			ids = append(ids, v)
		}
	}
	got := res.Header.Get("X-Upstream-Request-Id")
	if len(ids) > 0 && got != ids[0] || id == got {
		t.Errorf("X-Upstream-Request-Id is %q, want one of %q; X-Request-Id is %q", got, ids, id)
	}
	for _, name := range []string{"Set-Cookie", "Openai-Organization", "Openai-Project", "Anthropic-Organization-Id"} {
		if v := res.Header.Get(name); v != "" {
			t.Errorf("%s reached the client: %s", name, v)
		}
	}
}

// checkError judges an error that came as one.
func checkError(t *testing.T, rec *recording, res *http.Response, got []byte, err error, record *gateway.Record) {
	t.Helper()
	if err != nil || res.StatusCode != rec.Status || record.Status != rec.Status || record.Error == "" {
		t.Errorf("status %d, want %d; record %d %q; error %v", res.StatusCode, rec.Status, record.Status, record.Error, err)
	}
	if diff := cmp.Diff(string(rec.Body), string(got)); diff != "" {
		t.Errorf("body (-recorded +got):\n%s", diff)
	}
	if !record.Usage.IsZero() {
		t.Errorf("an error was charged: %+v", record.Usage)
	}
	for _, name := range []string{"retry-after", "retry-after-ms", "x-should-retry"} {
		if want := rec.header(name); res.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, res.Header.Get(name), want)
		}
	}
	if ct := res.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("content type %q", ct)
	}
}

// checkAnswer judges a whole answer.
func checkAnswer(t *testing.T, rec *recording, want *expectation, res *http.Response, got []byte, err error) {
	t.Helper()
	// An error in a 200 answer gets the status that it should have had.
	if ok := res.StatusCode == rec.Status; err != nil || ok == want.failed || want.failed && res.StatusCode < 400 {
		t.Errorf("status %d, recorded %d; error %v", res.StatusCode, rec.Status, err)
	}
	if !bytes.Equal(got, rec.Body) {
		t.Errorf("body (-recorded +got):\n%s", cmp.Diff(string(rec.Body), string(got)))
	}
	if ct := res.Header.Get("Content-Type"); ct != rec.contentType() {
		t.Errorf("content type %q, want %q", ct, rec.contentType())
	}
	if want.reported && !want.failed {
		if got := res.Header.Get("X-AI-Input-Tokens") + " " + res.Header.Get("X-AI-Output-Tokens"); got != fmt.Sprint(want.usage.Input, want.usage.Output) {
			t.Errorf("token headers %s, want %d %d", got, want.usage.Input, want.usage.Output)
		}
	}
}

// checkStream judges a stream. An error before the first content is answered
// as an error; one behind it ends the body abnormally.
func checkStream(t *testing.T, rec *recording, want *expectation, res *http.Response, got []byte, err error) {
	t.Helper()
	if want.failed && !want.content {
		if err != nil || res.StatusCode < 400 || parseObject(got).object("error") == nil {
			t.Errorf("status %d, error %v, body %s", res.StatusCode, err, got)
		}
		return
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, content type %q: %s", res.StatusCode, res.Header.Get("Content-Type"), got)
	}
	if want.complete != (err == nil) {
		t.Errorf("the body ended with %v; complete: %v", err, want.complete)
	}
	var events []event
	for _, b := range parseStream(got) {
		if b.hasData {
			events = append(events, b.event)
		}
		if !b.clean {
			t.Errorf("official SDKs may break on %q", b.raw)
		}
	}
	if !want.complete && !want.failed { // a cut: Weir adds its error event
		if len(events) == 0 {
			t.Fatal("no error event")
		}
		events = events[:len(events)-1]
	}
	if rec.API == "messages" { // what follows message_stop breaks SDKs
		for len(want.events) > len(events) && isDone(want.events[len(want.events)-1].Data) {
			want.events = want.events[:len(want.events)-1]
		}
	}
	if diff := cmp.Diff(want.events, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if want.clean && (want.complete || want.failed) && !bytes.Equal(got, want.bytes) {
		t.Errorf("bytes (-want +got):\n%s", cmp.Diff(string(want.bytes), string(got)))
	}
}

// checkRecord judges the ledger's line.
func checkRecord(t *testing.T, rec *recording, want *expectation, got *gateway.Record) {
	t.Helper()
	if got.Provider != "up-"+rec.Provider || got.UpstreamModel != rec.model() || got.Attempts != 1 {
		t.Errorf("target %s/%s, %d attempts", got.Provider, got.UpstreamModel, got.Attempts)
	}
	if (got.Error != "") != (want.failed || len(want.events) > 0 && !want.complete) {
		t.Errorf("error %q; failed %v, complete %v", got.Error, want.failed, want.complete)
	}
	if got.FinishReason != want.finish && !want.failed {
		t.Errorf("finish reason %q, want %q", got.FinishReason, want.finish)
	}
	if !want.reported {
		if got.UsageSource == gateway.SourceProvider {
			t.Errorf("usage %+v was never reported", got.Usage)
		}
		return
	}
	if got.UsageSource != gateway.SourceProvider && !want.failed {
		t.Errorf("usage source %s", got.UsageSource)
	}
	if diff := cmp.Diff(want.usage, got.Usage); diff != "" && (!want.failed || got.UsageSource == gateway.SourceProvider) {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

// replayModels replays a list of models, or one of it, through a gateway with
// one account: only there the vendor's own answer passes.
func replayModels(t *testing.T, rec *recording) {
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, _ *weirtest.Request) { rec.play(w, false) })
	g := weirtest.Start(t, fmt.Sprintf("provider up %s {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}", rec.module(), up.URL), "ai_gateway")
	path := "/v1" + rec.path()
	if model := rec.model(); model != "" {
		path = "/v1/models/up/" + model
	}
	req, err := http.NewRequest(http.MethodGet, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Provider == "anthropic" {
		req.Header.Set("Anthropic-Version", "2023-06-01")
	}
	req.Header.Set("Authorization", "Bearer "+secretOfClient)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != rec.Status || !bytes.Equal(got, rec.Body) {
		t.Errorf("status %d, want %d; error %v, body (-recorded +got):\n%s", res.StatusCode, rec.Status, err, cmp.Diff(string(rec.Body), string(got)))
	}
	checkHeaders(t, rec, res)
	requests := up.Requests()
	if len(requests) != 1 || requests[0].Path != "/v1"+rec.path() {
		t.Fatalf("upstream requests %v", requests)
	}
	for name, values := range requests[0].Header {
		if strings.Contains(strings.Join(values, " "), secretOfClient) {
			t.Errorf("the client's %s reached the upstream", name)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
