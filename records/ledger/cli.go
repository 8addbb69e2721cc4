package ledger

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fetch sends a request to Caddy's admin endpoint and returns the answer,
// whatever its status: caddycmd.AdminAPIRequest, with the address bound.
type Fetch func(ctx context.Context, uri string) (*http.Response, error)

// Report is what `caddy ai usage` asks for. Empty fields are left to the
// server.
type Report struct {
	By, Since, Until string

	// Where selects on columns.
	Where map[string]string

	// Format is `table`, the default, `json` or `csv`.
	Format string
}

// maxReport bounds what is read of an answer.
const maxReport = 256 << 20

// PrintUsage fetches a report and writes it to w.
func PrintUsage(ctx context.Context, fetch Fetch, report Report, w io.Writer) error {
	values := url.Values{}
	for name, value := range report.Where {
		if !IsDimension(name) {
			return fmt.Errorf("'%s' is none of %s", name, strings.Join(dimensions, ", "))
		}
		values.Set(name, value)
	}
	for name, value := range map[string]string{"by": report.By, "since": report.Since, "until": report.Until} {
		if value != "" {
			values.Set(name, value)
		}
	}
	switch report.Format {
	case "", "table", "csv":
		values.Set("format", "csv")
	case "json":
	default:
		return fmt.Errorf("format '%s' is none of table, json, csv", report.Format)
	}
	res, err := fetch(ctx, "/ai/usage?"+values.Encode())
	if err != nil {
		return fmt.Errorf("asking the admin endpoint: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body := io.LimitReader(res.Body, maxReport)
	if res.StatusCode != http.StatusOK {
		return refusal(res.StatusCode, body)
	}
	if report.Format == "csv" || report.Format == "json" {
		if _, err := io.Copy(w, body); err != nil {
			return fmt.Errorf("reading the report: %w", err)
		}
		return nil
	}
	return printTable(body, w)
}

func refusal(status int, body io.Reader) error {
	var answer struct {
		Error string `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(body, 4096))
	if json.Unmarshal(text, &answer) == nil && answer.Error != "" {
		return errors.New(answer.Error)
	}
	if status == http.StatusNotFound {
		return errors.New("the admin endpoint has no /ai/usage: the running configuration has no `ai` app with records")
	}
	return fmt.Errorf("the admin endpoint answered %d", status)
}

// printTable aligns the columns of a report, names to the left and numbers to
// the right.
func printTable(body io.Reader, w io.Writer) error {
	lines, err := csv.NewReader(body).ReadAll()
	if err != nil {
		return fmt.Errorf("reading the report: %w", err)
	}
	if len(lines) < 2 {
		_, err := fmt.Fprintln(w, "no usage")
		return err
	}
	groups := max(slices.Index(lines[0], "requests"), 0)
	widths := make([]int, len(lines[0]))
	for n, line := range lines {
		for i := range line {
			line[i] = printable(line[i])
			if n == 0 {
				line[i] = strings.ToUpper(strings.ReplaceAll(line[i], "_", " "))
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	out := bufio.NewWriter(w)
	for _, line := range lines {
		for i, cell := range line {
			if i > 0 {
				_, _ = out.WriteString("  ")
			}
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < groups {
				_, _ = out.WriteString(cell + padding)
			} else {
				_, _ = out.WriteString(padding + cell)
			}
		}
		_ = out.WriteByte('\n')
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// printable keeps a name that a client chose from steering the terminal.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}
