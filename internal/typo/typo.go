// Package typo finds what a mistyped word was meant to be.
package typo

import "sort"

// Distance is the Levenshtein distance of a and b in bytes. It costs
// len(a) × len(b): for short names.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// Nearest returns known sorted by distance to word, up to n of them.
func Nearest(word string, n int, known ...string) []string {
	sorted := append([]string(nil), known...)
	distance := make(map[string]int, len(known))
	for _, k := range known {
		distance[k] = Distance(word, k)
	}
	sort.SliceStable(sorted, func(i, j int) bool { return distance[sorted[i]] < distance[sorted[j]] })
	if len(sorted) > n {
		sorted = sorted[:n]
	}
	return sorted
}

// tolerance is how far a word may be from the one that is suggested.
const tolerance = 4

// Suggest words a suggestion, such as `; did you mean 'openai'?`; it is empty
// when nothing known is near. Of a short word half must be right.
func Suggest(word string, known ...string) string {
	near := Nearest(word, 1, known...)
	if len(near) == 0 {
		return ""
	}
	far := Distance(word, near[0])
	if far >= tolerance || 2*far > max(len(word), len(near[0]))+1 {
		return ""
	}
	return "; did you mean '" + near[0] + "'?"
}
