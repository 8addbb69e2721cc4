package prices

import (
	"strings"
	"testing"
	"time"
)

// now is after every price's beginning that a catalogue of today names.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func on(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := parseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestEffectiveDates asks a catalogue and overrides for the price in force.
func TestEffectiveDates(t *testing.T) {
	catalogue, err := Read(`version 2026-11-25
openai gpt-x input 1 output 1
openai gpt-x from 2026-12-01 input 2 output 2
openai gpt-x input 3 output 3 service batch input 1 from 2027-01-01T06:00:00Z until 2027-02-01
openai gpt-x-mini until 2026-12-01 input 9 output 9
`)
	if err != nil {
		t.Fatal(err)
	}
	table := Table{Catalogue: catalogue}
	for _, words := range []string{
		"openai/gpt-x input 7 output 7 from 2027-03-01",
		"openai/* input 8 output 8 from 2027-03-01 until 2027-04-01",
		"openai/* free from 2027-05-01",
	} {
		if err := table.Overrides.Add(strings.Fields(words)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ model, at, price, version string }{
		{"gpt-x", "1999-01-01", "input 1 output 1", "2026-11-25"},
		{"gpt-x", "2026-11-30T23:59:59.999999999Z", "input 1 output 1", "2026-11-25"},
		{"gpt-x", "2026-12-01", "input 2 output 2 from 2026-12-01", "2026-11-25@2026-12-01"},
		{"gpt-x", "2026-12-01T01:00:00+02:00", "input 1 output 1", "2026-11-25"},
		{"gpt-x", "2027-01-01", "input 2 output 2 from 2026-12-01", "2026-11-25@2026-12-01"},
		{"gpt-x", "2027-01-01T06:00:00Z", "input 3 output 3 service batch input 1 from 2027-01-01T06:00:00Z until 2027-02-01", "2026-11-25@2027-01-01T06:00:00Z"},
		{"gpt-x", "2027-02-01", "", ""},
		{"gpt-x-2026-01-01", "2026-12-05", "input 2 output 2 from 2026-12-01", "2026-11-25@2026-12-01"},
		{"gpt-x", "2027-03-01", "input 7 output 7 from 2027-03-01", "override@2027-03-01"},
		{"gpt-x-mini", "2026-11-30", "input 9 output 9 until 2026-12-01", "2026-11-25"},
		{"gpt-x-mini", "2026-12-05", "input 2 output 2 from 2026-12-01", "2026-11-25@2026-12-01~openai/gpt-x"},
		{"gpt-x-mini", "2027-03-05", "input 8 output 8 from 2027-03-01 until 2027-04-01", "override@2027-03-01"},
		{"gpt-x-mini", "2027-04-01", "", ""},
		{"gpt-x-mini", "2027-05-01", "free from 2027-05-01", "override@2027-05-01"},
	} {
		price, ok := table.Find("openai", "openai", tt.model, on(t, tt.at))
		if ok != (tt.price != "") || ok && (price.String() != tt.price || price.Version != tt.version) {
			t.Errorf("%s at %s: %v %+v", tt.model, tt.at, price, price)
		}
	}
	for _, p := range append(catalogue.All(), table.Overrides.exact["openai/gpt-x"]...) {
		again, err := Parse(strings.Fields(p.String()))
		if err != nil || !again.From.Equal(p.From) || !again.Until.Equal(p.Until) {
			t.Errorf("%s: written and read again: %v, %v", p, again, err)
		}
	}
}

func TestDatesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"openai/x input 1 output 2 from":                             "from: the value is missing",
		"openai/x input 1 output 2 until":                            "until: the value is missing",
		"openai/x input 1 output 2 from tomorrow":                    "from: 'tomorrow' is no date",
		"openai/x input 1 output 2 from 2026-13-01":                  "no date",
		"openai/x input 1 output 2 from 2026-12-01 from 2026-12-02":  "from: it is named twice",
		"openai/x input 1 output 2 from 2026-12-01 until 2026-12-01": "until: 2026-12-01 is not after 2026-12-01",
		"openai/x from 2026-12-01":                                   "a price names at least one",
		"openai/a input 1 output 2 from 2026-12-01":                  "has two prices from 2026-12-01",
		"openai/a input 1 output 2 from 2026-12-15":                  "one of them ends at 2027-01-01",
		"openai/a input 1 output 2 until 2026-12-02":                 "one of them ends at 2026-12-02",
		"openai/a* input 1 output 2 from 2026-12-15":                 "one of them ends at 2027-01-01",
	} {
		var o Overrides
		for _, words := range []string{"openai/a free from 2026-12-01 until 2027-01-01", "openai/a* free from 2026-12-01 until 2027-01-01"} {
			if err := o.Add(strings.Fields(words)); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Add(strings.Fields(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestDiffOfDates(t *testing.T) {
	before, err := Read("version 1\nopenai a input 1 output 1\nopenai b input 1 output 1\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read("version 2\nopenai a input 1 output 1\nopenai a input 2 output 2 from 2026-12-01\nopenai b input 1 output 1\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Difference{"openai/a", "input 1 output 1", "input 1 output 1; input 2 output 2 from 2026-12-01"}
	if got := before.Diff(after); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v", got)
	}
}
