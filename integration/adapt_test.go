package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
)

var update = flag.Bool("update", false, "rewrite the results in testdata/adapt")

const resultLine = "\n----------\n"

// TestAdapt holds what Caddyfiles become: JSON, or an error with file and
// line. Files whose names begin with `validate_` are provisioned too.
func TestAdapt(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-test")
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(data), resultLine)
			if !ok {
				t.Fatal("the file has no result")
			}
			got := adaptResult(t, name, input+"\n")
			if *update {
				if err := os.WriteFile(file, []byte(input+resultLine+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func adaptResult(t *testing.T, name, input string) string {
	t.Helper()
	if strings.HasPrefix(name, "validate_") {
		if err := weirtest.Validate(input); err != nil {
			// The http app may come first and load ours: only our part is
			// always the same.
			message := err.Error()
			if at := strings.Index(message, "loading ai app module"); at >= 0 {
				message = message[at:]
			}
			return "error: " + message + "\n"
		}
		return "valid\n"
	}
	config, err := weirtest.Adapt(input)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String() + "\n"
}

// TestErrorsNamePlace holds that every error of a Caddyfile says where.
func TestErrorsNamePlace(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/error_*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, result, _ := strings.Cut(string(data), resultLine)
		if !strings.Contains(result, "Caddyfile:") || !strings.HasPrefix(result, "error: ") {
			t.Errorf("%s names no place: %s", file, result)
		}
	}
}

// shipped are the Caddyfiles that users copy.
func shipped(t *testing.T) []string {
	t.Helper()
	examples, err := filepath.Glob("../examples/*.Caddyfile")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return append(examples, "../Caddyfile.example")
}

// TestShippedCaddyfiles holds that the Caddyfiles in the repository are as
// `caddy fmt` would have them and provision without any network.
func TestShippedCaddyfiles(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY", "GROQ_API_KEY", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY", "COHERE_API_KEY", "CI_KEY", "ASSISTANT_KEY", "SEARCH_KEY", "SUPPORT_KEY", "APP_KEY", "CACHE_SECRET"} {
		t.Setenv(name, "sk-test-of-"+strings.ToLower(name))
	}
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	t.Setenv("DATABASE_URL", "postgres://127.0.0.1:1/weir")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, file := range shipped(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(data), string(caddyfile.Format(data))); diff != "" {
				t.Errorf("not as `caddy fmt` has it (-is +fmt)\n%s", diff)
			}
			if err := weirtest.Validate(string(data)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestValidateLeavesNothing holds that a configuration that is validated, or
// refused after the gateway's own part was found good, leaves nothing on the
// disk, and that one that runs has its ledger.
func TestValidateLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("OPENAI_API_KEY", "sk-test")
	const good = "{\n\tadmin off\n\tai openai\n}\n:0 {\n\tai_gateway\n}\n"
	files := func() (list []string) {
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			if path != dir {
				list = append(list, path)
			}
			return nil
		})
		return list
	}
	if err := weirtest.Validate(good); err != nil {
		t.Fatal(err)
	}
	if left := files(); len(left) != 0 {
		t.Errorf("validating left %v", left)
	}
	refused := strings.Replace(good, "ai_gateway", "ai_gateway\n\ttls nobody.pem nobody.key", 1)
	if err := weirtest.Validate(refused); err == nil {
		t.Error("certificates that are not there are taken")
	}
	if left := files(); len(left) != 0 {
		t.Errorf("a refused configuration left %v", left)
	}
	weirtest.Start(t, "provider sim simulator", "ai_gateway") // with a folder of its own
	if _, err := os.Stat(filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "ai", "journal")); err != nil {
		t.Errorf("a configuration that runs has no journal: %v", err)
	}
}
