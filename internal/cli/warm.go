package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// warmer sends requests through a gateway, so that it keeps their answers.
type warmer struct {
	url         string
	path        string
	keyEnv      string
	refresh     bool
	concurrency int
	timeout     time.Duration

	key    string
	client *http.Client

	mu   sync.Mutex
	sum  warmSum
	errs io.Writer
}

// warmSum is what came of a file.
type warmSum struct {
	Sent    int `json:"sent"`
	Already int `json:"kept_already"`
	New     int `json:"new"`
	NotKept int `json:"not_kept"`
	Failed  int `json:"failed"`
}

// maxWarmers bounds the requests at the same time.
const maxWarmers = 256

func warmCommand() *cobra.Command {
	w := new(warmer)
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "warm FILE --url http://gateway [--key-env VAR]",
		Short: "Fetch answers ahead of time",
		Long: `Sends each request of a JSONL file through a gateway, which keeps the answers. A line
is one of OpenAI's batch input, {"custom_id", "method", "url", "body"}, or with
--path a body alone; - reads standard input. Answers that are kept already cost
nothing; --refresh fetches them again. Answers are kept for whoever shares the
key's scope.

Lines that fail are named on standard error, and the command fails after the
last.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.prepare(); err != nil {
				return err
			}
			defer w.client.CloseIdleConnections()
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("opening the requests: %w", err)
				}
				defer file.Close()
				in = file
			}
			w.errs = cmd.ErrOrStderr()
			err := w.run(cmd.Context(), in)
			if asJSON {
				err = errors.Join(err, writeJSON(cmd.OutOrStdout(), w.sum))
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "sent %d, kept already %d, new %d, not kept %d, failed %d\n",
					w.sum.Sent, w.sum.Already, w.sum.New, w.sum.NotKept, w.sum.Failed)
			}
			return errors.Join(err, w.sum.err())
		},
	}
	cmd.Flags().StringVar(&w.url, "url", "", "the gateway's base URL (required)")
	cmd.Flags().StringVar(&w.path, "path", "", "where bodies that stand alone go, such as /v1/chat/completions")
	cmd.Flags().StringVar(&w.keyEnv, "key-env", "", "the environment variable that holds the key to send")
	cmd.Flags().BoolVar(&w.refresh, "refresh", false, "fetch answers again that are kept already")
	cmd.Flags().IntVar(&w.concurrency, "concurrency", 4, "how many requests are sent at the same time")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 10*time.Minute, "how long an answer may take")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the summary as JSON")
	_ = cmd.MarkFlagRequired("url")
	return cmd
}

func (w *warmer) prepare() error {
	base, err := url.Parse(w.url)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" {
		return fmt.Errorf("--url '%s' is no base URL, such as http://127.0.0.1:8080", w.url)
	}
	w.url = strings.TrimRight(w.url, "/")
	if w.path != "" {
		if err := checkPath(w.path); err != nil {
			return fmt.Errorf("--path: %w", err)
		}
	}
	if w.concurrency < 1 || w.concurrency > maxWarmers {
		return fmt.Errorf("--concurrency must be from 1 to %d, not %d", maxWarmers, w.concurrency)
	}
	if w.keyEnv != "" {
		if w.key = os.Getenv(w.keyEnv); w.key == "" {
			return fmt.Errorf("--key-env: the variable '%s' is not set", w.keyEnv)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = w.concurrency
	w.client = &http.Client{
		Transport: transport,
		Timeout:   w.timeout,
		// The gateway answers by itself; a key is for nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// run sends the lines of in, a few at a time. Its error is that of reading them, or
// of ctx.
func (w *warmer) run(ctx context.Context, in io.Reader) error {
	lines := make(chan *warmLine)
	var group sync.WaitGroup
	for range w.concurrency {
		group.Go(func() {
			for line := range lines {
				w.warm(ctx, line)
			}
		})
	}
	err := readWarmLines(in, w.path, func(line *warmLine) bool {
		select {
		case lines <- line:
			return true
		case <-ctx.Done():
			return false
		}
	})
	close(lines)
	group.Wait()
	return errors.Join(err, ctx.Err())
}

// warm sends one line and notes what came of it.
func (w *warmer) warm(ctx context.Context, line *warmLine) {
	err := line.err
	var count *int
	if err == nil {
		count, err = w.send(ctx, line)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.Sent++
	if count == nil {
		count = &w.sum.Failed
	}
	*count++
	if err != nil {
		fmt.Fprintf(w.errs, "line %d: %v\n", line.number, err)
	}
}

// send gets the answer to a line to its end. It returns what to count; an error beside
// that says why the answer is not kept.
func (w *warmer) send(ctx context.Context, line *warmLine) (*int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+line.path, bytes.NewReader(line.body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if w.key != "" {
		req.Header.Set("Authorization", "Bearer "+w.key)
	}
	if w.refresh {
		req.Header.Set("X-AI-Cache", "refresh")
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sending it: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d: %s", res.StatusCode, complaint(res.Body))
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	status := res.Header.Get("Cache-Status")
	// Of a stream it is not known at its beginning.
	told := res.ContentLength >= 0 && !strings.HasSuffix(status, "; stored") && !strings.HasSuffix(status, "; collapsed")
	switch word := res.Header.Get("X-AI-Cache"); {
	case word == "hit", word == "semantic-hit":
		return &w.sum.Already, nil
	case word == "miss" && told:
		return &w.sum.NotKept, fmt.Errorf("not kept: its answer is none to be kept: %s", status)
	case word == "miss", w.refresh && strings.Contains(status, "fwd=request"):
		return &w.sum.New, nil
	case status == "":
		return &w.sum.NotKept, errors.New("not kept: no cache is configured for it")
	default:
		return &w.sum.NotKept, fmt.Errorf("not kept: %s", status)
	}
}

// maxComplaint bounds what is shown of an answer that is an error.
const maxComplaint = 4 << 10

// complaint is the message of an error in any dialect, or the start of its text.
func complaint(r io.Reader) string {
	data, _ := io.ReadAll(io.LimitReader(r, maxComplaint)) // what came of it will do
	var body struct {
		Error struct{ Message string }
	}
	text := string(data)
	if json.Unmarshal(data, &body) == nil && body.Error.Message != "" {
		text = body.Error.Message
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	// A terminal acts on control characters.
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}

func (s *warmSum) err() error {
	if bad := s.Failed + s.NotKept; bad > 0 {
		return fmt.Errorf("%d of %d requests left nothing in the cache", bad, s.Sent)
	}
	return nil
}
