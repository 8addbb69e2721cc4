package responses_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

var codec = responses.Codec{}

// fixture is one recorded call of some provider's Responses API.
type fixture struct {
	name    string
	request []byte // nil: not recorded
	status  int
	stream  bool
	body    []byte
}

func fixtures(t testing.TB) (list []fixture) {
	t.Helper()
	paths, err := filepath.Glob("../../integration/testdata/fixtures/*/*responses-*.meta.json")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Stream  bool
			Status  int
			Request struct{ Body json.RawMessage }
		}
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		base := strings.TrimSuffix(path, ".meta.json")
		f := fixture{name: filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(base), status: meta.Status, stream: meta.Stream}
		if body := meta.Request.Body; len(body) > 0 && body[0] == '{' {
			f.request = body
		}
		ext := ".json"
		if f.stream {
			ext = ".sse"
		}
		if f.body, err = os.ReadFile(base + ext); err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func answers(t testing.TB, stream bool) (list []fixture) {
	for _, f := range fixtures(t) {
		if f.status == 200 && f.stream == stream && !strings.Contains(f.name, "compact") {
			list = append(list, f)
		}
	}
	return list
}

func decodeRequest(t testing.TB, body string) *wire.Request {
	t.Helper()
	req, err := codec.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return req
}

func encodeRequest(t testing.TB, req *wire.Request) (body string, loss *wire.Loss) {
	t.Helper()
	loss = wire.NewLoss(req)
	raw, err := codec.EncodeRequest(nil, req, loss)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(raw) {
		t.Fatalf("no JSON: %s", raw)
	}
	return string(raw), loss
}

func failureOf(t testing.TB, err error) *wire.Failure {
	t.Helper()
	f, ok := err.(*wire.Failure)
	if !ok {
		t.Fatalf("error %v is no failure", err)
	}
	return f
}
