package openai

import "github.com/weirproxy/weir/internal/jsonscan"

var errorKey = jsonscan.NewKeys("error")

// WithoutError is a chunk without its top-level error, which is null: openai-go
// raises one all the same.
func WithoutError(chunk []byte) []byte {
	var fields jsonscan.Object
	defer fields.Release()
	if jsonscan.Scan(chunk, errorKey, jsonscan.Limits{}, &fields) != nil {
		return chunk
	}
	return jsonscan.Splice(nil, chunk, []jsonscan.Edit{fields.DeleteEdit(chunk, 0)})
}
