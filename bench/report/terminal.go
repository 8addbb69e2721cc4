package report

import (
	"strings"
	"unicode/utf8"
)

// Terminal is the page with the columns of its tables below each other.
func (r *Report) Terminal() string { return columnar(r.Markdown("")) }

func columnar(page string) string {
	var out, table []string
	flush := func() {
		out = append(out, align(table)...)
		table = nil
	}
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "|") {
			table = append(table, line)
			continue
		}
		flush()
		out = append(out, strings.NewReplacer("**", "", "`", "", "### ", "").Replace(line))
	}
	flush()
	return strings.Join(out, "\n") + "\n"
}

// align pads the cells of a table of Markdown; the first two columns of words
// to the left, the others to the right.
func align(lines []string) (out []string) {
	var rows [][]string
	var widths []int
	for _, line := range lines {
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i, c := range cells {
			c = strings.NewReplacer("**", "", "`", "").Replace(strings.TrimSpace(c))
			cells[i] = c
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
		rows = append(rows, cells)
	}
	for _, cells := range rows {
		var b strings.Builder
		for i, c := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i == 0 || i == 1 && len(cells) <= 6 {
				b.WriteString(c + pad + "  ")
			} else {
				b.WriteString(pad + c + "  ")
			}
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}
