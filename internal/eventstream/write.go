package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// AppendFrame appends a frame. headers is what AppendHeader made.
func AppendFrame(dst, headers, payload []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(minFrame+len(headers)+len(payload)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
	dst = append(append(dst, headers...), payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// AppendHeader appends a string header. A name has at most 255 bytes, a value
// 65,535; what is longer is cut.
func AppendHeader(dst []byte, name, value string) []byte {
	name, value = name[:min(len(name), 0xff)], value[:min(len(value), 0xffff)]
	dst = append(append(dst, byte(len(name))), name...)
	dst = binary.BigEndian.AppendUint16(append(dst, typeString), uint16(len(value)))
	return append(dst, value...)
}

// AppendEvent appends an event with a payload of JSON.
func AppendEvent(dst []byte, eventType string, payload []byte) []byte {
	return AppendFrame(dst, headers("event", ":event-type", eventType), payload)
}

// AppendException appends a modelled error, such as throttlingException.
func AppendException(dst []byte, exceptionType string, payload []byte) []byte {
	return AppendFrame(dst, headers("exception", ":exception-type", exceptionType), payload)
}

// AppendError appends an error outside of the model, which has no payload.
func AppendError(dst []byte, code, message string) []byte {
	h := AppendHeader(nil, ":error-code", code)
	h = AppendHeader(h, ":error-message", message)
	return AppendFrame(dst, AppendHeader(h, ":message-type", "error"), nil)
}

func headers(messageType, name, value string) []byte {
	h := AppendHeader(make([]byte, 0, 128), name, value)
	h = AppendHeader(h, ":content-type", "application/json")
	return AppendHeader(h, ":message-type", messageType)
}
