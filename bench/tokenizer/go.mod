module github.com/weirproxy/weir/bench/tokenizer

go 1.26.0

require (
	github.com/pkoukk/tiktoken-go v0.1.8
	github.com/pkoukk/tiktoken-go-loader v0.0.2
	github.com/tiktoken-go/tokenizer v0.10.0
	github.com/weirproxy/weir v0.0.0
)

require (
	github.com/dlclark/regexp2 v1.11.5 // indirect
	github.com/dlclark/regexp2/v2 v2.8.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/weirproxy/weir => ../..
