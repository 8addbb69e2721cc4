package jsonscan

// StringAt returns the string whose opening quote is data[i], which is all that
// is looked at; ok is false where there is none.
func StringAt(data []byte, i int) (v Value, ok bool) {
	if i >= len(data) || data[i] != '"' {
		return Value{}, false
	}
	end := endOfString(data, i+1)
	if end < 0 {
		return Value{}, false
	}
	return Value{Kind: String, Start: i, End: end}, true
}

// NumberAt is StringAt for a number. It ends where the number cannot go on.
func NumberAt(data []byte, i int) (v Value, ok bool) {
	if i >= len(data) || data[i] != '-' && data[i]-'0' > 9 {
		return Value{}, false
	}
	end := endOfNumber(data, i)
	if end < 0 {
		return Value{}, false
	}
	return Value{Kind: Number, Start: i, End: end}, true
}
