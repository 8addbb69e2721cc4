package prices

import "strings"

// spellings returns the names under which the catalogue may have a model, the
// likeliest first: as it is, without the path of an ARN or of a publisher,
// and on Bedrock with the region's prefix replaced. name is in lower case.
func spellings(provider, name string) []string {
	list := []string{name}
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		// openai/gpt-4o at a reseller is listed as it is; models/gemini-x,
		// publishers/google/models/gemini-x and arn:…/x are not.
		name = name[at+1:]
		list = append(list, name)
	}
	if provider != "bedrock" {
		return list
	}
	region, rest, ok := strings.Cut(name, ".")
	if !ok || !isRegion(region) {
		return list
	}
	if region != "global" {
		// Profiles of a region cost the same as those of any other.
		list = append(list, "us."+rest)
	}
	return append(list, rest)
}

// isRegion reports whether part is what Bedrock's inference profiles begin
// with: us, eu, apac, jp, au, ca, in, us-gov, global …
func isRegion(part string) bool {
	switch part {
	case "global", "apac", "us-gov":
		return true
	}
	return len(part) == 2
}

// undated cuts a date or a version off name: -20250929, -2025-09-29,
// @20250929, @default, -latest, -001, -v1:0. ok is false when there is none.
func undated(name string) (rest string, ok bool) {
	for _, suffix := range []string{"-latest", "@default", "@latest"} {
		if rest, ok := strings.CutSuffix(name, suffix); ok {
			return rest, true
		}
	}
	if at := strings.LastIndex(name, "-v"); at > 0 && isDigits(strings.Replace(name[at+2:], ":", "", 1)) {
		return name[:at], true
	}
	for _, form := range []string{"-####-##-##", "-########", "@########", "-###"} {
		if at := len(name) - len(form); at > 0 && like(name[at:], form) {
			return name[:at], true
		}
	}
	return "", false
}

// like compares text with a form in which # is any digit.
func like(text, form string) bool {
	for i := range len(form) {
		if digit := text[i] >= '0' && text[i] <= '9'; form[i] == '#' && !digit || form[i] != '#' && text[i] != form[i] {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parent cuts the last part off a name: gpt-4o-mini-x, gpt-4o-mini, gpt-4o.
func parent(name string) string {
	if at := strings.LastIndexAny(name, "-:@"); at > 0 {
		return name[:at]
	}
	return ""
}
