package integration

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

const boundary = "form-boundary-7"

// part is one part of a form.
func part(name, file, value string) string {
	head := `Content-Disposition: form-data; name="` + name + `"`
	if file != "" {
		head += `; filename="` + file + "\"\r\nContent-Type: application/octet-stream"
	}
	return "--" + boundary + "\r\n" + head + "\r\n\r\n" + value + "\r\n"
}

// disposed is a part whose name is written in another way.
func disposed(params, value string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; " + params + "\r\n\r\n" + value + "\r\n"
}

func formOf(parts ...string) string {
	return strings.Join(parts, "") + "--" + boundary + "--\r\n"
}

const formType = "multipart/form-data; boundary=" + boundary

func (r *rig) upload(t *testing.T, path, form string) *reply {
	t.Helper()
	return r.uploadAs(t, path, formType, form)
}

func (r *rig) uploadAs(t *testing.T, path, contentType, form string) *reply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Request-Id", requestID)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &reply{status: res.StatusCode, header: res.Header, body: string(body), cut: err != nil, err: err}
}

// field is a part as an upstream reads it.
type field struct{ Name, File, Type, Value string }

func fieldsOf(t *testing.T, r *weirtest.Request) []field {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	mr := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"])
	var fields []field
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, field{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(value)})
	}
}

// TestForms passes forms on as they came when the model has the same name
// upstream, and with the model's part alone replaced when it has not.
func TestForms(t *testing.T) {
	file := strings.Repeat("\x00\r\n--not-the-boundary\r\n\xff", 5<<20/24) // 5 MB
	for _, tt := range []struct {
		name, path, model string
		parts             []string
		want              []field
	}{
		{
			"transcription", "/v1/audio/transcriptions", "whisper-1",
			[]string{part("model", "", "MODEL"), part("file", "a.wav", "RIFF"), part("prompt", "", "ü\r\n")},
			[]field{{"model", "", "", "MODEL"}, {"file", "a.wav", "application/octet-stream", "RIFF"}, {"prompt", "", "", "ü\r\n"}},
		},
		{
			"model behind a large file", "/v1/audio/translations", "whisper-1",
			[]string{part("file", "a.wav", file), part("model", "", "MODEL")},
			[]field{{"file", "a.wav", "application/octet-stream", file}, {"model", "", "", "MODEL"}},
		},
		{
			"image edit", "/v1/images/edits", "gpt-image-1",
			[]string{part("image[]", "a.png", "PNG1"), part("image[]", "b.png", "PNG2"), part("model", "", "MODEL"), part("prompt", "", "a cat")},
			[]field{{"image[]", "a.png", "application/octet-stream", "PNG1"}, {"image[]", "b.png", "application/octet-stream", "PNG2"}, {"model", "", "", "MODEL"}, {"prompt", "", "", "a cat"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			d := &door{provider: "openai", model: tt.model}
			rig := newRig(t, d, "", "")
			rig.answers(whole(200, `{"text":"hello"}`))
			for _, client := range []string{tt.model, "m"} {
				form := strings.Replace(formOf(tt.parts...), "MODEL", client, 1)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				checkReply(t, &reply{status: 200, body: `{"text":"hello"}`}, rig.upload(t, tt.path, form))
				runtime.ReadMemStats(&after)
				call := rig.upstreamCalls()[0]
				if client == tt.model && string(call.Body) != form {
					t.Errorf("the form changed on its way:\n%s", cmp.Diff(clip(form), clip(string(call.Body))))
				}
				want := append([]field(nil), tt.want...)
				for i := range want {
					want[i].Value = strings.Replace(want[i].Value, "MODEL", tt.model, 1)
				}
				if diff := cmp.Diff(want, fieldsOf(t, call)); diff != "" {
					t.Errorf("fields:\n%s", clip(diff))
				}
				record := rig.record(t)
				if record.Status != 200 || record.Attempts != 1 || record.Model != client || record.UpstreamModel != tt.model {
					t.Errorf("record %+v", record)
				}
				t.Logf("%d bytes of form, %d bytes allocated in the whole process", len(form), after.TotalAlloc-before.TotalAlloc)
			}
			if left, _ := filepath.Glob(filepath.Join(temp, "weir-form-*")); len(left) > 0 {
				t.Errorf("temporary files are left: %v", left)
			}
			if open := openForms(); len(open) > 0 {
				t.Errorf("open temporary files: %v", open)
			}
		})
	}
}

// openForms lists the descriptors of forms that are still open; they have no
// name in the file system.
func openForms() (open []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(target, "weir-form-") {
			open = append(open, target)
		}
	}
	return open
}

// TestDefaultModelOfForms routes a form without a model by the vendor's
// default, and names the upstream's model when that is another.
func TestDefaultModelOfForms(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	rig := &rig{}
	rig.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) { (*rig.answer.Load())(w, r) })
	rig.Gateway = weirtest.Start(t, "provider up openai {\nbase_url "+rig.up.URL+"/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel dall-e-2 up/gpt-image-1", "ai_gateway")
	rig.answers(whole(200, `{"data":[]}`))
	checkReply(t, &reply{status: 200, body: `{"data":[]}`}, rig.upload(t, "/v1/images/edits", formOf(part("image", "a.png", "PNG"), part("prompt", "", "a cat"))))
	rig.record(t)
	want := []field{{"image", "a.png", "application/octet-stream", "PNG"}, {"prompt", "", "", "a cat"}, {"model", "", "", "gpt-image-1"}}
	if diff := cmp.Diff(want, fieldsOf(t, rig.upstreamCalls()[0])); diff != "" {
		t.Errorf("fields:\n%s", diff)
	}
}

// TestBadForms refuses forms that are broken or say two things.
func TestBadForms(t *testing.T) {
	d := *doors[0]
	d.model = "whisper-1"
	rig := newRig(t, &d, "", "max_upload 1MiB\ndeny_params prompt")
	model, file := part("model", "", "m"), part("file", "a.wav", "RIFF")
	const path = "/v1/audio/transcriptions"
	for _, tt := range []struct {
		name, form     string
		status         int
		param, message string
	}{
		{"two models", formOf(model, file, part("model", "", "dear")), 400, "model", "more than once"},
		{"MODEL", formOf(part("MODEL", "", "m"), file), 400, "model", "another spelling"},
		{"both", formOf(model, part("Model", "", "dear")), 400, "model", "another spelling"},
		{"no model", formOf(file), 400, "model", "missing required parameter"},
		{"long model", formOf(part("model", "", strings.Repeat("m", 5000)), file), 400, "model", "too long"},
		{"unknown model", formOf(part("model", "", "mm"), file), 404, "model", "did you mean 'm'"},
		{"control characters", formOf(part("model", "", "m\x1b[31m"), file), 400, "model", "control characters"},
		{"no end", strings.TrimSuffix(formOf(model, file), "--"+boundary+"--\r\n"), 400, "", "not valid or not complete"},
		{"no parts", "hello", 400, "", "not valid or not complete"},
		{"empty", "", 400, "", ""},
		{"too large", formOf(model, part("file", "a.wav", strings.Repeat("x", 1<<20))), 413, "", "max_upload"},
		{"denied field", formOf(model, file, part("prompt", "", "x")), 400, "prompt", "deny_params"},

		// What some upstream would read as another model, or as a denied field.
		{"a name twice", formOf(model, file, disposed(`name="x"; name="model"`, "dear")), 400, "", "not plain"},
		{"a name twice, the denied last", formOf(model, file, disposed(`name="x"; name="prompt"`, "x")), 400, "", "not plain"},
		{"a name and one that is encoded", formOf(model, disposed(`name="model"; name*=utf-8''x`, "dear")), 400, "", "not plain"},
		{"an encoded name", formOf(model, disposed(`name="x"; name*=utf-8''model`, "dear")), 400, "", "not plain"},
		{"a name in pieces", formOf(model, disposed(`name*0="mo"; name*1="del"`, "dear")), 400, "", "not plain"},
		{"a backslash", formOf(model, disposed(`name="mod\el"`, "dear")), 400, "", "not plain"},
		{"white space", formOf(model, disposed(`name="model "`, "dear")), 400, "model", "another spelling"},
		{"no name", formOf(model, disposed(`x="model"`, "dear")), 400, "", "not plain"},
		{"no field", formOf(model, "--"+boundary+"\r\nContent-Type: text/plain\r\n\r\ndear\r\n"), 400, "", "no Content-Disposition"},
		{"two dispositions", formOf(model, disposed(`name="x"`+"\r\n"+`Content-Disposition: form-data; name="model"`, "dear")), 400, "", "more than one"},
		{"a model in base64", formOf(disposed(`name="model"`+"\r\nContent-Transfer-Encoding: base64", "bQ=="), file), 400, "model", "plain text"},
		{"a model in another charset", formOf(disposed(`name="model"`+"\r\nContent-Type: text/plain; charset=utf-7", "m"), file), 400, "model", "plain text"},
		{"a part within a part", formOf(model, part("file", "a.wav", "RIFF\n--"+boundary+"\nContent-Disposition: form-data; name=\"model\"\n\ndear\n")), 400, "", "boundary"},
		{"a part within a part, behind CR", formOf(model, part("file", "a.wav", "RIFF\r--"+boundary+"\rContent-Disposition: form-data; name=\"model\"\r\rdear\r")), 400, "", "boundary"},
		{"a longer boundary", formOf(model, part("file", "a.wav", "RIFF\r\n--"+boundary+"x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndear")), 400, "", "boundary"},
		{"a part behind the last", formOf(model, file) + formOf(part("model", "", "dear")), 400, "", "boundary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.checkRefusal(t, &d, rig.upload(t, path, tt.form), tt.status, tt.param, tt.message)
			if record := rig.record(t); record.Status != tt.status || record.UsageSource != gateway.SourceNone {
				t.Errorf("record %+v", ledgerOf(record))
			}
		})
	}
	t.Run("two boundaries", func(t *testing.T) {
		rig.answers(whole(200, `{"text":"hello"}`))
		form := formOf(model, file, part("user", "", "\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndear\r\n--b--"))
		got := rig.uploadAs(t, path, "multipart/form-data; boundary=b; boundary*=us-ascii''"+boundary, form)
		for _, call := range rig.upstreamCalls() {
			if kind := call.Header.Get("Content-Type"); kind != formType {
				t.Errorf("the upstream was told of %q", kind)
			}
		}
		if got.status != 200 {
			t.Errorf("status %d: %s", got.status, got.body)
		}
		rig.record(t)
	})
	t.Run("no boundary", func(t *testing.T) {
		rig.checkRefusal(t, &d, rig.uploadAs(t, path, "multipart/form-data", "hello"), 400, "", "no valid boundary")
		rig.record(t)
		rig.checkRefusal(t, &d, rig.uploadAs(t, path, "multipart/form-data; boundary=\"\u00fc\"", formOf(model, file)), 400, "", "no valid boundary")
		rig.record(t)
		rig.checkRefusal(t, &d, rig.uploadAs(t, path, "multipart/form-data; boundary="+strings.Repeat("b", 71), formOf(model, file)), 400, "", "no valid boundary")
		rig.record(t)
	})
}
