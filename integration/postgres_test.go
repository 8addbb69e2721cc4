package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/pgtest"
)

// TestSharedThroughPostgres has processes find each other's answers in one
// database, to the same request and to one that means the same, with and without
// pgvector; go on when the database is gone; and share again when it is back.
func TestSharedThroughPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	binary := buildBinary(t)
	for name, start := range map[string]func(testing.TB) *pgtest.Server{"plain": pgtest.Start, "pgvector": pgtest.StartVector} {
		t.Run(name, func(t *testing.T) { sharedThroughPostgres(t, binary, start(t)) })
	}
}

func sharedThroughPostgres(t *testing.T, binary string, server *pgtest.Server) {
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		if strings.HasSuffix(r.Path, "/embeddings") {
			embeds(w, r)
			return
		}
		whole(200, chatAnswer(chatChoice(`"stop"`)))(w, r)
	})
	t.Setenv("WEIR_TEST_KEY", "sk-upstream")
	t.Setenv("WEIR_TEST_DATABASE", server.Database("answers"))
	global := "ai {\nprovider openai {\nbase_url " + up.URL + "/v1\napi_key {env.WEIR_TEST_KEY}\n}\nmodel m openai/gpt-4.1\nmodel e openai/text-embedding-3-small {\ninternal\n}\n}"
	const store = "store postgres {env.WEIR_TEST_DATABASE} {\ndeadline 5s\n}\n"
	site := "ai_gateway {\ncache exact {\n" + store + "}\ncache semantic {\nembedder e\ndeadline 10s\n" + store + "}\n}"
	one, two := startProcess(t, binary, global, site), startProcess(t, binary, global, site)
	client := newClient(t)
	ask := func(p *process, text string) string {
		t.Helper()
		res, err := client.Post(p.url+"/v1/chat/completions", "application/json", strings.NewReader(about(text)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("status %d", res.StatusCode)
		}
		return res.Header.Get("X-AI-Cache")
	}
	purge := func(p *process, what string) int {
		t.Helper()
		res, err := client.Post("http://"+p.admin+"/ai/cache/purge", "application/json", strings.NewReader(what))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	shared := func(text string) {
		t.Helper()
		for _, p := range []*process{one, two} {
			eventually(t, "a connection", func() bool { return purge(p, `{"tag":"nothing"}`) == 204 })
		}
		count := func(table string) string { return server.Exec("answers", "SELECT count(*) FROM weir_cache_"+table) }
		server.Exec("answers", "DELETE FROM weir_cache_answers; DELETE FROM weir_cache_rows")
		if got := ask(one, text); got != "miss" {
			t.Errorf("the first: %s", got)
		}
		eventually(t, "the answer", func() bool { return count("answers") == "1" })
		eventually(t, "the row", func() bool { return count("rows") == "1" })
		// The other process has never seen it.
		if got := ask(two, text+" quickly"); got != "semantic-hit" {
			t.Errorf("what means the same: %s", got)
		}
		if got := ask(two, text); got != "hit" {
			t.Errorf("the very same: %s", got)
		}
	}
	shared("please tell me about rain in the mountains")
	if got := purge(one, `{"model":"m"}`); got != 204 {
		t.Errorf("purging: %d", got)
	}
	// What the database still knows of the request leads to nothing.
	for _, text := range []string{"please tell me about rain in the mountains", "please tell me about rain in the mountains gently"} {
		eventually(t, "the purge at the other", func() bool {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, two.url+"/v1/chat/completions", strings.NewReader(about(text)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"only-if-cached"}}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res.StatusCode == http.StatusGatewayTimeout
		})
	}
	if got := ask(one, "please tell me about rain in the mountains"); got != "miss" {
		t.Errorf("after the purge: %s", got)
	}
	server.Stop()
	for _, p := range []*process{one, two} {
		ask(p, "please tell me about rain in the valley")
		if got := ask(p, "please tell me about rain in the valley"); got != "hit" {
			t.Errorf("without the database: %s", got)
		}
	}
	server.Restart()
	shared("please tell me about rain at the sea")
}
