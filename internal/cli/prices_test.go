package cli

import (
	"bytes"
	"strings"
	"testing"
)

func runPrices(t *testing.T, stdin string, args ...string) (out, errs string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := pricesCommand()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	err = cmd.Execute()
	return o.String(), e.String(), err
}

func TestPricesShow(t *testing.T) {
	for _, tt := range []struct {
		name, model, out, errs string
	}{
		{"exact", "openai/gpt-4.1-nano", "openai/gpt-4.1-nano", "prices of 20"},
		{"part", "sonnet", "anthropic/claude-sonnet-4-5", "prices of 20"},
		{"all", "", "openai/gpt-4o-mini", "prices of 20"},
		{"another spelling", "openai/gpt-4.1-nano-2031-01-01", "openai/gpt-4.1-nano", "charged as openai/gpt-4.1-nano (undated)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"show"}
			if tt.model != "" {
				args = append(args, tt.model)
			}
			out, errs, err := runPrices(t, "", args...)
			if err != nil || !strings.Contains(out, tt.out) || !strings.Contains(out, " input ") || !strings.Contains(errs, tt.errs) {
				t.Errorf("got %.300s, %s, %v", out, errs, err)
			}
		})
	}
	if _, _, err := runPrices(t, "", "show", "nobody/nothing"); err == nil {
		t.Error("a price of nothing")
	}
}

func TestPricesDiff(t *testing.T) {
	all, _, err := runPrices(t, "", "show")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	file.WriteString("version 2099-01-01\n")
	for line := range strings.Lines(all) {
		name, price, _ := strings.Cut(line, " ")
		switch name {
		case "openai/gpt-4.1":
			price = "input 1 output 2\n"
		case "openai/o3":
			continue
		}
		file.WriteString(strings.Replace(name, "/", " ", 1) + " " + strings.TrimLeft(price, " "))
	}
	file.WriteString("openai gpt-99 input 1 output 2 from 2099-12-01\n")
	out, _, err := runPrices(t, file.String(), "diff", "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"~ openai/gpt-4.1 input 2 ", "- openai/o3 ", "+ openai/gpt-99 input 1 output 2 from 2099-12-01\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "\n"); n != 4 {
		t.Errorf("%d lines:\n%s", n, out)
	}
	for _, args := range [][]string{{"diff", "/nonexistent/prices"}, {"diff", "-"}, {"diff"}} {
		if _, _, err := runPrices(t, "nonsense", args...); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
