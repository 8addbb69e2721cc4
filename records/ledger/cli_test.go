package ledger

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve answers from twoSums, as the admin endpoint does.
func serve(store Store, seen *string) Fetch {
	return func(_ context.Context, uri string) (*http.Response, error) {
		*seen = uri
		return get(store, http.MethodGet, strings.TrimPrefix(uri, "/ai/usage")).Result(), nil
	}
}

func TestPrintUsage(t *testing.T) {
	var uri string
	fetch := serve(&asked{sums: []Sum{twoSums[0], {Group: []string{"", "a\x1b[2Jb"}, Totals: twoSums[1].Totals}}}, &uri)
	for name, test := range map[string]struct {
		report Report
		uri    string
		want   string
	}{
		"table": {
			Report{}, "/ai/usage?format=csv", "" +
				"KEY  MODEL   REQUESTS  INPUT TOKENS  OUTPUT TOKENS  CACHED TOKENS     COST USD  UNPRICED REQUESTS  CACHE HITS  SAVED USD\n" +
				"ci   chat           2            10              5              3         1.25                  0           1        0.5\n" +
				"-    a?[2Jb         1             0              0              0  0.000000001                  1           0          0\n",
		},
		"csv": {
			Report{Format: "csv", By: "key,model", Since: "7d", Where: map[string]string{"key": "ci"}},
			"/ai/usage?by=key%2Cmodel&format=csv&key=ci&since=7d", "",
		},
		"json": {Report{Format: "json", Until: "1h"}, "/ai/usage?until=1h", ""},
	} {
		var out bytes.Buffer
		if err := PrintUsage(t.Context(), fetch, test.report, &out); err != nil || uri != test.uri {
			t.Errorf("%s: %v %s", name, err, uri)
		}
		if test.want != "" && out.String() != test.want {
			t.Errorf("%s: %s\n%s", name, cmp.Diff(test.want, out.String()), out.String())
		}
		if out.Len() == 0 {
			t.Errorf("%s: nothing", name)
		}
	}
}

func TestPrintUsageErrors(t *testing.T) {
	answer := func(status int, body string) Fetch {
		return func(context.Context, string) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.WriteHeader(status)
			w.WriteString(body)
			return w.Result(), nil
		}
	}
	for name, test := range map[string]struct {
		fetch  Fetch
		report Report
		want   string
	}{
		"refused":    {answer(400, `{"error":"'x' is none of"}`), Report{}, "'x' is none of"},
		"no records": {answer(404, ""), Report{}, "no /ai/usage"},
		"broken":     {answer(502, "<html>"), Report{}, "502"},
		"not there":  {func(context.Context, string) (*http.Response, error) { return nil, errors.New("refused") }, Report{}, "refused"},
		"format":     {answer(200, ""), Report{Format: "xml"}, "xml"},
		"column":     {answer(200, ""), Report{Where: map[string]string{"x": "y"}}, "'x' is none of"},
		"no csv":     {answer(200, `a,"b`), Report{}, "reading the report"},
	} {
		if err := PrintUsage(t.Context(), test.fetch, test.report, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var out bytes.Buffer
	var uri string
	if err := PrintUsage(t.Context(), serve(&asked{}, &uri), Report{}, &out); err != nil || out.String() != "no usage\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}
