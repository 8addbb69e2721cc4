package wire

import "bytes"

// MayAttach reports whether a request may hold a picture, a recording or a file,
// in any dialect: whether a string in it, a member's name or not, begins with one
// of the words for them, or with an escape that may hide one. What an attachment
// costs is not bounded by the bytes that name it.
func MayAttach(body []byte) bool {
	for {
		at := bytes.IndexByte(body, '"')
		if at < 0 {
			return false
		}
		body = body[at+1:]
		if len(body) > 1 && attaches(body) {
			return true
		}
	}
}

func attaches(s []byte) bool {
	switch s[0] {
	case 'a':
		return starts(s, "audio")
	case 'd':
		return starts(s, "document")
	case 'f':
		return starts(s, "file")
	case 'i':
		return starts(s, "image") || starts(s, "inline") || starts(s, "input_") && !starts(s, "input_text")
	case 'v':
		return starts(s, "video")
	case 'm':
		return starts(s, "media")
	}
	return s[0] == '\\' && s[1] == 'u'
}

func starts(s []byte, word string) bool {
	// An escape within the word may hide the rest of it.
	for i := range min(len(s), len(word)) {
		if s[i] != word[i] {
			return s[i] == '\\' && i+1 < len(s) && s[i+1] == 'u'
		}
	}
	return len(s) >= len(word)
}
