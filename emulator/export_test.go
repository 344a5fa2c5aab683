package emulator

// EncodeFrame and EncodeLine are how lines get into the journal.
var (
	EncodeFrame = encodeFrame
	EncodeLine  = encodeLine
)
